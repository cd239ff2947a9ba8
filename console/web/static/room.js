// The war room's own script: whether the node can be reached, clocks that tick, and forms that are not torn away.
(function () {
  "use strict";
  var bar = document.getElementById("connection");
  var lost = false, over = false;

  function show() {
    if (!bar) return;
    var text = over ? bar.dataset.over : lost ? bar.dataset.lost : held.size ? bar.dataset.held : "";
    if (bar.textContent !== text) bar.textContent = text;
    bar.hidden = !text;
  }

  // -- parts --------------------------------------------------------------------------------------------------
  // A part that somebody is typing in is not replaced under their hands: it waits until they have left it.
  var held = new Map();
  function dirty(root) {
    return Array.prototype.some.call(root.querySelectorAll("form"), function (form) {
      return form.dataset.dirty === "yes";
    });
  }
  function busy(part) {
    var active = document.activeElement;
    if (part.contains(active) && active.matches("input, textarea, select")) return true;
    var chosen = window.getSelection();
    if (chosen && !chosen.isCollapsed && part.contains(chosen.anchorNode)) return true;
    return dirty(part);
  }
  document.addEventListener("input", function (event) {
    var form = event.target.form;
    if (form) form.dataset.dirty = "yes";
  });
  // Nobody says a value and that nobody knows it: whichever comes last holds.
  document.addEventListener("input", function (event) {
    var one = event.target, field = one.closest(".field");
    if (!field || !one.name) return;
    var ticked = /\.unknown$/.test(one.name);
    if (ticked && !one.checked) return;
    field.querySelectorAll("input, textarea, select").forEach(function (other) {
      if (other === one || /\.unknown$/.test(other.name) === ticked) return;
      if (other.type === "checkbox" || other.type === "radio") other.checked = false;
      else other.value = "";
    });
  });
  document.documentElement.classList.add("scripted");
  document.addEventListener("click", function (event) {
    var button = event.target.closest("button.now");
    if (!button || !hour) return;
    var input = button.parentElement.querySelector("input[type=datetime-local]");
    input.value = hour.format(now()).replace(" ", "T").slice(0, 16);
    input.dispatchEvent(new Event("input", { bubbles: true }));
  });
  // A link to a form that is folded unfolds it.
  window.addEventListener("hashchange", function () {
    var one = document.getElementById(window.location.hash.slice(1));
    if (one && one.tagName === "DETAILS") one.open = true;
  });
  // What was refused and came back is typed text as well, though nobody has touched it yet.
  document.querySelectorAll("form .flash").forEach(function (one) { one.closest("form").dataset.dirty = "yes"; });
  document.addEventListener("reset", function (event) {
    delete event.target.dataset.dirty;
    window.setTimeout(release, 0);
  });

  // What stays the same over a replacement is found again by its id, or by where it stands and what it says. Of
  // several that say the same, such as the button of each step, it must be the very one: a key is pressed next.
  function hidden(form) {
    return form ? Array.prototype.filter.call(form.querySelectorAll("input[type=hidden]"), function (one) {
      return one.name !== "csrf" && one.name !== "once";
    }).map(function (one) { return one.value; }).join(",") : "";
  }
  function sign(one, part) {
    if (one.id) return one.id;
    var place = one.parentElement.closest("[id]");
    var text = (one.querySelector("summary") || one).textContent.trim().replace(/[0-9]+/g, "0");
    return [place && place !== part ? place.id : "", one.tagName, one.getAttribute("href") || one.name || "",
      one.getAttribute("aria-label") || "", hidden(one.form || one.querySelector("form")), text].join("|");
  }
  function signed(part, selector) {
    var times = new Map();
    return Array.prototype.map.call(part.querySelectorAll(selector), function (one) {
      var name = sign(one, part);
      times.set(name, (times.get(name) || 0) + 1);
      return [name + "|" + times.get(name), one];
    });
  }
  var FOCUSABLE = "a[href], button, summary, [tabindex]";
  function replace(part, html) {
    var focused = part.contains(document.activeElement) && signed(part, FOCUSABLE).find(function (one) {
      return one[1] === document.activeElement;
    });
    var folds = new Map(signed(part, "details").map(function (one) { return [one[0], one[1].open]; }));
    var scrolled = Array.prototype.map.call(part.querySelectorAll(".scroll"), function (one) {
      return [one.scrollLeft, one.scrollTop];
    });
    window.htmx.swap(part, html, { swapStyle: "innerHTML", swapDelay: 0, settleDelay: 0 });
    signed(part, "details").forEach(function (one) {
      if (folds.has(one[0])) one[1].open = folds.get(one[0]);
    });
    part.querySelectorAll(".scroll").forEach(function (one, at) {
      if (scrolled[at]) { one.scrollLeft = scrolled[at][0]; one.scrollTop = scrolled[at][1]; }
    });
    if (focused && !part.contains(document.activeElement)) {
      var again = signed(part, FOCUSABLE).find(function (one) { return one[0] === focused[0]; });
      if (again) again[1].focus({ preventScroll: true });
    }
    tick();
  }
  function release() {
    held.forEach(function (html, id) {
      var part = document.getElementById(id);
      if (part && busy(part)) return;
      held.delete(id);
      if (part) replace(part, html);
    });
    show();
  }
  document.addEventListener("htmx:sseBeforeMessage", function (event) {
    var part = event.target;
    event.preventDefault();
    if (busy(part)) held.set(part.id, event.detail.data);
    else { held.delete(part.id); replace(part, event.detail.data); }
    show();
  });
  document.addEventListener("focusout", function () { window.setTimeout(release, 0); });
  document.addEventListener("selectionchange", function () {
    if (held.size && window.getSelection().isCollapsed) window.setTimeout(release, 0);
  });

  // -- the stream ---------------------------------------------------------------------------------------------
  var known = new WeakSet();
  document.addEventListener("htmx:sseError", function () { lost = !over; show(); });
  document.addEventListener("htmx:sseOpen", function (event) {
    var source = event.detail.source;
    lost = false;
    show();
    if (known.has(source)) return;
    known.add(source);
    source.addEventListener("now", function (said) { set(said.data); });
    source.addEventListener("over", function (said) { end(said.data); });
  });
  // Why a page is not kept up to date any more: who may not read it has it taken away, whoever is logged out
  // is asked to log in, and of too many windows the one that comes forward is loaded again.
  function end(why) {
    over = true;
    lost = false;
    show();
    if (why === "gone" || (why === "session" && !dirty(document))) window.location.reload();
    if (why === "many") document.addEventListener("visibilitychange", function () {
      if (!document.hidden && !dirty(document)) window.location.reload();
    });
  }

  // -- clocks -------------------------------------------------------------------------------------------------
  // <time data-until="2026-11-23T01:00:00Z" data-left="{span} left" data-over="{span} over"
  //       data-units="d,h,min,s">: what the server wrote stands until the first second has passed.
  // The footer says the hour and how fast it goes: a drill's time is not ours, and may stand.
  var stated = document.querySelector("time.now[data-now]");
  var at = 0, pace = 1, since = 0;
  function set(text) {
    var said = text.split(" ");
    at = Date.parse(said[0]);
    pace = Number(said[1]);
    since = performance.now();
    tick();
  }
  function now() { return at + (performance.now() - since) * pace; }
  function span(seconds, units) {
    var d = Math.floor(seconds / 86400), h = Math.floor(seconds / 3600) % 24;
    var m = Math.floor(seconds / 60) % 60, s = seconds % 60;
    if (d) return d + units[0] + " " + h + units[1];
    if (h) return h + units[1] + " " + m + units[2];
    return m + units[2] + " " + s + units[3];
  }
  var face = stated && new Intl.DateTimeFormat("ja-JP", { timeZone: stated.dataset.zone, hourCycle: "h23",
    month: "2-digit", day: "2-digit", hour: "2-digit", minute: "2-digit", second: "2-digit" });
  var hour = stated && new Intl.DateTimeFormat("sv-SE", { timeZone: stated.dataset.zone, hourCycle: "h23",
    year: "numeric", month: "2-digit", day: "2-digit", hour: "2-digit", minute: "2-digit", second: "2-digit" });
  var offset = stated ? " " + stated.textContent.slice(stated.textContent.indexOf("(")) : "";
  function put(one, text) { if (one.textContent !== text) one.textContent = text; }
  function tick() {
    if (!stated) return;
    document.querySelectorAll("time[data-until]").forEach(function (one) {
      var left = Math.round((Date.parse(one.dataset.until) - now()) / 1000);
      var text = left >= 0 ? one.dataset.left : one.dataset.over;
      put(one, text.replace("{span}", span(Math.abs(left), one.dataset.units.split(","))));
      one.classList.toggle("grave", left < 0);
    });
    // <time data-story>2026-11-30 00:40:00 +09:00</time>: the hour of a drill's story, large.
    document.querySelectorAll("time[data-story]").forEach(function (one) {
      put(one, hour.format(now()) + one.textContent.slice(19));
    });
    // Without a line to the node nobody knows the hour of a drill; ours goes on by itself.
    put(stated, face.format(now()) + offset);
  }
  if (stated) set(stated.dataset.now);
  window.setInterval(tick, 1000);
})();

// The war room's own script: whether the node can be reached, clocks that tick, and forms that are not torn away.
(function () {
  "use strict";
  var bar = document.getElementById("connection");

  function say(text) {
    if (!bar) return;
    bar.textContent = text || "";
    bar.hidden = !text;
  }

  // A part that somebody is typing in is not replaced under their hands: it waits until they have left it.
  var held = new Map();
  function busy(part) {
    var active = document.activeElement;
    if (part.contains(active) && active.matches("input, textarea, select")) return true;
    return Array.prototype.some.call(part.querySelectorAll("form"), function (form) {
      return form.dataset.dirty === "yes";
    });
  }
  document.addEventListener("input", function (event) {
    var form = event.target.form;
    if (form) form.dataset.dirty = "yes";
  });
  document.addEventListener("htmx:sseBeforeMessage", function (event) {
    var part = event.target;
    if (!busy(part)) return;
    event.preventDefault();
    held.set(part.id, event.detail.data);
    say(bar && bar.dataset.held);
  });
  document.addEventListener("focusout", function () {
    window.setTimeout(function () {
      held.forEach(function (html, id) {
        var part = document.getElementById(id);
        if (!part || busy(part)) return;
        held.delete(id);
        window.htmx.swap(part, html, { swapStyle: "innerHTML" });
      });
      if (!held.size) say("");
    }, 0);
  });

  // -- the stream ---------------------------------------------------------------------------------------------
  document.addEventListener("htmx:sseError", function () { say(bar && bar.dataset.lost); });
  document.addEventListener("htmx:sseOpen", function () { if (!held.size) say(""); });

  // -- clocks -------------------------------------------------------------------------------------------------
  // <time data-until="2026-11-23T01:00:00Z" data-left="{span} left" data-over="{span} over"
  //       data-units="d,h,min,s">: what the server wrote stands until the first second has passed.
  var skew = 0; // the story's time less the machine's, in milliseconds: a drill's time is not ours
  var stated = document.querySelector("time.now[data-now]");
  if (stated) skew = Date.parse(stated.dataset.now) - Date.now();
  var running = !stated || stated.dataset.standing !== "yes";

  function span(seconds, units) {
    var d = Math.floor(seconds / 86400), h = Math.floor(seconds / 3600) % 24;
    var m = Math.floor(seconds / 60) % 60, s = seconds % 60;
    if (d) return d + units[0] + " " + h + units[1];
    if (h) return h + units[1] + " " + m + units[2];
    return m + units[2] + " " + s + units[3];
  }
  function tick() {
    if (!running) return;
    document.querySelectorAll("time[data-until]").forEach(function (one) {
      var left = Math.round((Date.parse(one.dataset.until) - Date.now() - skew) / 1000);
      var text = left >= 0 ? one.dataset.left : one.dataset.over;
      one.textContent = text.replace("{span}", span(Math.abs(left), one.dataset.units.split(",")));
      one.classList.toggle("grave", left < 0);
    });
  }
  window.setInterval(tick, 1000);
})();

// The hour of a drill's story goes on by itself, at the story's own speed; without this it stands as it was drawn.
(function () {
  "use strict";
  function shown(at, zone) {
    var parts = {};
    new Intl.DateTimeFormat("en-GB", {
      timeZone: zone, year: "numeric", month: "2-digit", day: "2-digit",
      hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23"
    }).formatToParts(new Date(at)).forEach(function (one) { parts[one.type] = one.value; });
    return parts.year + "-" + parts.month + "-" + parts.day + " " +
      parts.hour + ":" + parts.minute + ":" + parts.second;
  }
  function tick() {
    document.querySelectorAll("time[data-story]").forEach(function (one) {
      if (one.dataset.standing === "yes") return;
      if (!one.dataset.seen) { one.dataset.seen = String(Date.now()); one.dataset.tail = one.textContent.slice(19); }
      var passed = (Date.now() - Number(one.dataset.seen)) * Number(one.dataset.speed);
      one.textContent = shown(Date.parse(one.dataset.story) + passed, one.dataset.zone) + one.dataset.tail;
    });
  }
  tick();
  window.setInterval(tick, 500);
})();

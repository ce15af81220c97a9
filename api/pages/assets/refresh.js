// Renews a page that shows how things stand, unless nobody can see it or somebody is typing. Works in old browsers.
(function () {
  "use strict";
  var seconds = Number(document.querySelector("script[data-seconds]").getAttribute("data-seconds")) || 60;
  window.setInterval(function () {
    var at = document.activeElement;
    var typing = at && /^(INPUT|TEXTAREA|SELECT)$/.test(at.tagName);
    if (!document.hidden && !typing) { window.location.reload(); }
  }, seconds * 1000);
})();

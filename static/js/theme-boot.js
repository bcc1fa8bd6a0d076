/* Runs before the first paint, hence a classic script in the head: applies the chosen theme without a flash.
   The dark sheet's media attribute is the whole mechanism, so with scripts off the system's choice still holds. */
(function () {
  "use strict";
  var media = { dark: "all", light: "not all", auto: "(prefers-color-scheme: dark)" };
  var sheet = document.getElementById("dark-theme");
  function stored() {
    try { return localStorage.getItem("livestream.theme") || "auto"; } catch (error) { return "auto"; }
  }
  function apply(theme) {
    if (!media[theme]) theme = "auto";
    sheet.media = media[theme];
    document.documentElement.dataset.theme = theme;
  }
  apply(stored());
  window.addEventListener("livestream:theme", function (event) { apply(event.detail); });
  window.addEventListener("storage", function (event) { if (event.key === "livestream.theme") apply(stored()); });
})();

// Runs before the first paint, so that nobody sees the wrong theme or language for a moment.
try {
  const root = document.documentElement;
  const theme = localStorage.getItem("gridtokenx.theme");
  if (theme === "light" || theme === "dark") root.dataset.theme = theme;
  const language = localStorage.getItem("gridtokenx.language") ?? navigator.language.slice(0, 2);
  root.lang = language === "th" ? "th" : "en";
} catch {
  // Storage may be forbidden: then system theme and English it is.
}

// A classic script in the head: a theme that was chosen is there before the first paint.
(() => {
  try {
    const theme = localStorage.getItem('goshift.theme');
    if (theme === 'light' || theme === 'dark') document.documentElement.dataset.theme = theme;
  } catch {
    // Storage is blocked: the system's theme it is.
  }
})();

// Closes a window that a script has opened, after the time that its page asks for. In any other window it does nothing:
// browsers do not let a script close those.
const after = Number(document.currentScript?.dataset.after ?? 0);
setTimeout(() => window.close(), after);

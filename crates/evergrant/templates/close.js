// The end of a consent in a window that a page has opened. First its opener is told, and nobody but the origin that asked
// (sdk/js listens; it checks origin, window and flow). Then the window closes itself, where its page asks for it and after
// the time that it names: in any window that no script has opened this does nothing.
{
  const { after, origin, flow, slug, outcome, code } = document.currentScript?.dataset ?? {};
  if (origin && window.opener) {
    window.opener.postMessage({ type: "evergrant:consent", flow, slug, outcome, code: code || undefined }, origin);
  }
  if (after) setTimeout(() => window.close(), Number(after));
}

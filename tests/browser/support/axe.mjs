// Accessibility, as far as a program can judge it: axe-core in the page, in light and in dark. It is put there through the
// debugger, since the pages' content security policy lets no foreign script in.
import assert from 'node:assert/strict';
import axe from 'axe-core';

/** @typedef {{ id: string, help: string, nodes: { html: string, failureSummary: string }[] }} Violation */

/**
 * Fails when axe-core finds anything on the page, or in a frame of another site on it.
 * @param {import('playwright-core').Page} page
 * @param {string} what
 * @param {import('playwright-core').Frame} [frame]
 */
export async function accessible(page, what, frame) {
  const devtools = await page.context().newCDPSession(frame ?? page);
  /** @param {string} expression */
  const run = async (expression) => {
    const { result, exceptionDetails } = await devtools.send('Runtime.evaluate', { expression, awaitPromise: true, returnByValue: true });
    assert(!exceptionDetails, exceptionDetails?.exception?.description);
    return result.value;
  };
  if (!(await run('typeof axe === "object"'))) await run(`${axe.source}; undefined`);
  const before = await page.evaluate(() => matchMedia('(prefers-color-scheme: dark)').matches);
  for (const colorScheme of /** @type {const} */ (['light', 'dark'])) {
    await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' });
    // Colours and contrast are all that may differ the second time.
    const rules = colorScheme === 'dark' ? ', runOnly: { type: "tag", values: ["wcag2aa"] }' : '';
    /** @type {Violation[]} */
    const violations = await run(`axe.run(document, { resultTypes: ["violations"]${rules} }).then(({ violations }) => violations)`);
    const told = violations.map(({ id, help, nodes }) => `${id}: ${help}\n  ${nodes.map(({ html, failureSummary }) => `${html}\n  ${failureSummary}`).join('\n  ')}`);
    assert.equal(told.length, 0, `${what}, ${colorScheme}:\n${told.join('\n')}`);
  }
  await page.emulateMedia({ colorScheme: before ? 'dark' : 'light', reducedMotion: null });
  await devtools.detach();
}

// Accessibility, as far as a program can judge it: axe-core in the page. It is put there through the debugger, since the
// pages' content security policy lets no foreign script in.
import assert from 'node:assert/strict';
import axe from 'axe-core';

/**
 * Fails when axe-core finds anything on the page.
 * @param {import('playwright-core').Page} page
 * @param {string} what
 */
export async function accessible(page, what) {
  const devtools = await page.context().newCDPSession(page);
  /** @param {string} expression */
  const run = async (expression) => {
    const { result, exceptionDetails } = await devtools.send('Runtime.evaluate', { expression, awaitPromise: true, returnByValue: true });
    assert(!exceptionDetails, exceptionDetails?.exception?.description);
    return result.value;
  };
  await run(`${axe.source}; undefined`);
  /** @type {{ id: string, help: string, nodes: { html: string, failureSummary: string }[] }[]} */
  const violations = await run('axe.run(document, { resultTypes: ["violations"] }).then(({ violations }) => violations)');
  const told = violations.map(({ id, help, nodes }) => `${id}: ${help}\n  ${nodes.map(({ html, failureSummary }) => `${html}\n  ${failureSummary}`).join('\n  ')}`);
  assert.equal(told.length, 0, `${what}:\n${told.join('\n')}`);
  await devtools.detach();
}

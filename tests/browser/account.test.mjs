// A reconnect that lands on another account than before, in a real browser against a real OAuth server: it is refused with
// the expected account named, going back works, and replacing it is possible only where the environment's policy asks.
import assert from 'node:assert/strict';
import { after, afterEach, before, describe, test } from 'node:test';
import { startBrowser } from './support/browser.mjs';
import { Lab, OAUTH_APP } from './support/lab.mjs';
import { consent } from './support/oidc.mjs';

/** @typedef {import('./support/lab.mjs').Customer} Customer */

/** @type {import('playwright-core').Browser} */
let browser;
before(async () => { browser = await startBrowser(); });
after(async () => { await browser?.close(); });

for (const engine of /** @type {const} */ (['sqlite', 'postgres'])) {
  describe(`on ${engine}`, () => {
    /** @type {Lab} */
    let lab;
    before(async () => { lab = await Lab.start(engine); });
    after(async () => { await lab?.close(); });
    afterEach(async () => { await Promise.all(browser.contexts().map((context) => context.close())); });

    /**
     * A customer who was connected as one account of the provider, and must reconnect. Returns the connection's id.
     * @param {Customer} customer @param {string} as
     */
    async function broken(customer, as) {
      const { popup, outcome } = await customer.product.connectByPopup(OAUTH_APP);
      await consent(popup, as);
      assert.deepEqual(await outcome, { value: true });
      const id = await lab.evergrant.connectionId(customer.account, OAUTH_APP);
      assert.equal((await lab.evergrant.connection(id)).identifier, as);
      await lab.evergrant.expire(id);
      return id;
    }

    /**
     * Reconnects in the popup as another account; returns the page that says so.
     * @param {Customer} customer @param {{ as: string, expected: string }} accounts
     */
    async function reconnect(customer, { as, expected }) {
      await customer.context.clearCookies(); // the provider asks again who it is
      const { popup, outcome } = await customer.product.connectByPopup(OAUTH_APP);
      await consent(popup, as);
      await popup.getByRole('heading', { name: 'This is another account' }).waitFor();
      const text = await popup.locator('main').innerText();
      assert(text.includes(expected) && text.includes(as), text);
      return { popup, outcome };
    }

    test('another account is refused, the expected one is named, and going back works', async () => {
      const customer = await lab.customer(browser, `ann-${engine}`);
      const [alice, bob] = [`alice-of-ann-${engine}`, `bob-of-ann-${engine}`];
      const id = await broken(customer, alice);
      const { popup, outcome } = await reconnect(customer, { as: bob, expected: alice });
      assert.equal(await popup.getByRole('button').count(), 0, 'the policy offers no choice');
      assert.equal((await lab.evergrant.connection(id)).identifier, alice);
      assert.equal((await lab.evergrant.connection(id)).status, 'reauth_required');
      await popup.close();
      assert.deepEqual(await outcome, { value: false });

      await customer.context.clearCookies();
      const again = await customer.product.connectByPopup(OAUTH_APP);
      await consent(again.popup, alice);
      assert.deepEqual(await again.outcome, { value: true });
      assert.equal((await lab.evergrant.connection(id)).status, 'active');
      assert.equal(await lab.evergrant.connectionId(customer.account, OAUTH_APP), id);
    });

    test('where the policy asks, the customer keeps the old account or replaces it knowingly', async () => {
      const customer = await lab.customer(browser, `zoe-${engine}`);
      const [alice, bob] = [`alice-of-zoe-${engine}`, `bob-of-zoe-${engine}`];
      const id = await broken(customer, alice);
      await lab.evergrant.setPolicy('ask');
      try {
        const first = await reconnect(customer, { as: bob, expected: alice });
        await first.popup.getByRole('button', { name: `Keep ${alice}` }).click();
        assert.deepEqual(await first.outcome, { value: false });
        assert.equal((await lab.evergrant.connection(id)).identifier, alice);

        const second = await reconnect(customer, { as: bob, expected: alice });
        await second.popup.getByRole('button', { name: `Replace it with ${bob}` }).click();
        assert.deepEqual(await second.outcome, { value: true });
        const replaced = await lab.evergrant.connection(id);
        assert.deepEqual([replaced.identifier, replaced.status], [bob, 'active']);
        await lab.evergrant.check(id);
        assert.equal((await lab.evergrant.connection(id)).status, 'active');
      } finally {
        await lab.evergrant.setPolicy('refuse');
      }
    });
  });
}

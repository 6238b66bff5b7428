// Every page and state of the hosted pages, as pictures: light, dark, and on a phone; and the React components.
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { startBrowser } from './browser.mjs';
import { buildReact, openExample } from './examples.mjs';
import { BOTH_APP, ENDING_APP, KEYED_APP, Lab, OAUTH_APP, UNCHECKED_APP } from './lab.mjs';
import { eventually } from './net.mjs';
import { CLIENT, consent, deny, reachConsent } from './oidc.mjs';
import { Visitor, comeBackWith, framedAddress, startEmbedder } from './portal.mjs';

const DESKTOP = { width: 1180, height: 780 };
const PHONE = { width: 390, height: 844 };

/**
 * Takes them all; returns how many there are.
 * @param {string} folder
 */
export async function gallery(folder) {
  await mkdir(folder, { recursive: true });
  const lab = await Lab.start('sqlite', { many: true });
  const browser = await startBrowser();
  let count = 0;
  /** @param {import('playwright-core').Page} page @param {string} name */
  const take = async (page, name) => {
    for (const [variant, colorScheme, viewport] of /** @type {const} */ ([
      ['light', 'light', DESKTOP], ['dark', 'dark', DESKTOP], ['phone', 'light', PHONE], ['phone-dark', 'dark', PHONE],
    ])) {
      await page.emulateMedia({ colorScheme });
      await page.setViewportSize(viewport);
      await page.mouse.move(0, 0);
      await page.screenshot({ path: join(folder, `${name}-${variant}.png`), fullPage: true, animations: 'disabled', caret: 'hide' });
      count += 1;
    }
    await page.emulateMedia({ colorScheme: 'light' });
    await page.setViewportSize(DESKTOP);
  };
  try {
    await walk(lab, browser, take);
    await failures(lab, browser, take);
    await frames(lab, browser, take);
    await components(lab, browser, take);
  } finally {
    await browser.close();
    await lab.close();
  }
  return count;
}

/**
 * @param {Lab} lab
 * @param {import('playwright-core').Browser} browser
 * @param {(page: import('playwright-core').Page, name: string) => Promise<void>} take
 */
async function walk(lab, browser, take) {
  const { origin } = lab.evergrant;
  const ann = await Visitor.arrive(lab, browser, 'Northwind Traders', { properties: { name: 'Northwind Traders' } });
  const { page } = ann;
  await take(page, '01-list');
  await page.getByLabel('Search').fill('nothing like it');
  await take(page, '02-list-none');
  await page.goto(`${origin}/connect/${OAUTH_APP}`);
  await take(page, '03-detail-new');
  await ann.press('Connect');
  await deny(page, ann.account);
  await ann.says('was not connected');
  await take(page, '04-denied');
  await page.goto(`${origin}/connect/${OAUTH_APP}`);
  await ann.press('Connect');
  await consent(page, ann.account);
  await ann.says('is connected');
  await take(page, '05-done');
  await page.goto(`${origin}/connect/${OAUTH_APP}`);
  await take(page, '06-detail-connected');
  await page.locator('summary', { hasText: 'Disconnect' }).click();
  await take(page, '07-detail-end');
  await page.goto(`${origin}/connect/twilio`);
  await take(page, '08-key-form');
  await page.getByLabel('Account SID').fill('AC123');
  await page.locator('form.fields').evaluate((form) => { /** @type {HTMLFormElement} */ (form).noValidate = true; });
  await ann.press('Connect');
  await ann.says('Please check the marked fields.');
  await take(page, '09-key-form-wrong');
  await page.goto(`${origin}/connect/${KEYED_APP}`);
  await page.getByLabel('API key').fill('wrong-key-of-ann');
  await ann.press('Connect');
  await ann.says('did not accept');
  await take(page, '10-key-form-refused');
  lab.keyed.issue('good-key-of-ann', 'ann@northwind.example');
  await page.getByLabel('API key').fill('good-key-of-ann');
  await ann.press('Connect');
  await ann.says('Keyed Lab is connected.');
  await take(page, '11-key-connected');

  const id = await lab.evergrant.connectionId(ann.account, OAUTH_APP);
  lab.oidc.revokeGrant(ann.account);
  await lab.evergrant.check(id);
  await page.goto(`${origin}/connect`);
  await take(page, '12-list-attention');
  for (const lang of ['de', 'fr', 'es', 'ja']) {
    await page.goto(`${origin}/connect?lang=${lang}`);
    await take(page, `13-list-${lang}`);
    await page.goto(`${origin}/connect/${OAUTH_APP}`);
    await take(page, `14-detail-expired-${lang}`);
  }
  await page.goto(`${origin}/connect/${OAUTH_APP}?lang=en`);
  await take(page, '14-detail-expired');

  const made = await lab.evergrant.api('POST', `/api/v2/public/connection/${id}/reauth-link`, { body: {} });
  const linked = await (await browser.newContext({ locale: 'en-GB' })).newPage();
  await linked.goto(made.url);
  await take(linked, '15-link');
  await linked.getByRole('button').click();
  await deny(linked, ann.account);
  await linked.getByText('was not connected').waitFor();
  await linked.getByRole('link', { name: 'Try again' }).click();
  await take(linked, '16-repair');
  await linked.goto(`${origin}/reauth/rl_never`);
  await take(linked, '17-link-ended');
  await linked.goto(`${origin}/connect`);
  await take(linked, '18-session-expired');
  await page.goto(`${origin}/connect/no-such-application`);
  await take(page, '19-not-found');
  await page.goto(`${origin}/connect/${OAUTH_APP}`);
  await ann.press('Reconnect');
  await consent(page, ann.account);
  await ann.says('is connected');
  await linked.goto(made.url);
  await take(linked, '20-link-mended');

  await page.goto(`${origin}/connect/${BOTH_APP}?lang=de`);
  await take(page, '25-both-de');
  for (const lang of ['de', 'ja']) {
    await page.goto(`${origin}/connect/${BOTH_APP}?auth_type=keybased&lang=${lang}`);
    await page.locator('form.fields').evaluate((form) => { /** @type {HTMLFormElement} */ (form).noValidate = true; });
    await page.locator('form.fields button').click();
    await page.locator('.misfit').first().waitFor();
    await take(page, `26-both-form-wrong-${lang}`);
  }
  await page.goto(`${origin}/connect/${BOTH_APP}?auth_type=oauth2&lang=en`);
  await ann.press('Connect');
  await ann.says('Not ready yet');
  await take(page, '27-not-ready');
  for (const policy of /** @type {const} */ (['refuse', 'ask'])) {
    await lab.evergrant.setPolicy(policy);
    for (const lang of policy === 'ask' ? ['en', 'de', 'ja'] : ['en']) {
      await page.context().clearCookies({ domain: '127.0.0.1', name: /^_(session|interaction)/ });
      await page.goto(`${origin}/connect/${OAUTH_APP}?lang=${lang}`);
      await page.evaluate(() => { for (const one of document.querySelectorAll('details')) one.open = true; });
      await page.locator('form.fields button').click();
      await consent(page, 'a-colleague-with-a-long-name@northwind.example');
      await page.locator('.pair').waitFor();
      await take(page, `28-another-account-${policy}-${lang}`);
    }
  }
  await lab.evergrant.setPolicy('refuse');
  await page.goto(`${origin}/connect/${ENDING_APP}?lang=en`);
  await ann.press('Connect');
  await consent(page, ann.account);
  await ann.says('is connected');
  const foretold = await eventually('the end to be foretold', async () => {
    await page.goto(`${origin}/connect`);
    return (await page.locator(`#${ENDING_APP}.expiring`).count()) > 0 || undefined;
  }, 90_000).catch((error) => console.error(error.message));
  if (foretold) {
    await take(page, '29-list-expiring');
    await page.goto(`${origin}/connect/${ENDING_APP}`);
    await ann.accessible('an application that ends soon');
    await take(page, '29-detail-expiring');
  }

  for (const [name, properties] of /** @type {const} */ ([
    ['21-themed-violet', { name: 'Violet', button_color: '#7a3cff' }],
    ['22-themed-cream', { name: 'Cream', color: '#b3541e', bgColor: '#fbf4e8' }],
    ['23-themed-navy', { name: 'Navy', color: '#ffd400', bgColor: '#0f1b3d' }],
  ])) {
    const themed = await Visitor.arrive(lab, browser, name, { properties });
    await take(themed.page, name);
    await themed.page.goto(`${origin}/connect/twilio`);
    await take(themed.page, `${name}-detail`);
  }
}

/** @typedef {(page: import('playwright-core').Page, name: string) => Promise<void>} Take */

/** What goes wrong at the provider, and what is said once. @param {Lab} lab @param {import('playwright-core').Browser} browser @param {Take} take */
async function failures(lab, browser, take) {
  const { origin } = lab.evergrant;
  const bea = await Visitor.arrive(lab, browser, 'bea');
  const { page } = bea;
  for (const [name, error] of /** @type {const} */ ([['30-done-problem', 'server_error'], ['31-done-not-set-up', 'invalid_scope']])) {
    await page.goto(`${origin}/connect/${OAUTH_APP}`);
    await comeBackWith(lab, bea, error);
    await take(page, name);
  }
  await page.goto(`${origin}/connect/${OAUTH_APP}`);
  await bea.press('Connect');
  await reachConsent(page, bea.account);
  await lab.oidc.changeSecret('another-secret-than-before');
  try {
    await consent(page, bea.account);
    await bea.says('did not answer as expected');
    await take(page, '32-done-no-tokens');
  } finally {
    await lab.oidc.changeSecret(CLIENT.secret);
  }
  await page.goto(`${origin}/connect/${KEYED_APP}`);
  lab.keyed.setDown(true);
  await page.getByLabel('API key').fill('key-of-bea');
  await bea.press('Connect');
  await bea.says('cannot be reached');
  await take(page, '33-key-form-provider-down');
  lab.keyed.setDown(false);
  await page.goto(`${origin}/connect/${UNCHECKED_APP}`);
  await page.getByLabel('API key').fill('key-of-bea');
  await bea.press('Connect');
  await bea.says('stored unchecked');
  await take(page, '34-key-unverified');
  await page.locator('summary', { hasText: 'Disconnect' }).click();
  await bea.press('Yes, disconnect');
  await bea.says('is disconnected.');
  await take(page, '35-disconnected');
  // No catalogue is ever empty: the list as its template makes it of none (the test of that is in Rust).
  await page.goto(`${origin}/connect`);
  await page.evaluate(() => {
    for (const one of document.querySelectorAll('main > :not(h1, .lead, [data-none])')) one.remove();
    const none = /** @type {HTMLElement} */ (document.querySelector('[data-none]'));
    none.innerHTML = '<p class="what">Nothing to connect yet</p><p>As soon as applications are offered here, you can connect them on this page.</p>';
    none.hidden = false;
  });
  await take(page, '36-list-empty');
}

/** The pages inside a product. @param {Lab} lab @param {import('playwright-core').Browser} browser @param {Take} take */
async function frames(lab, browser, take) {
  const embedder = await startEmbedder();
  try {
    await lab.evergrant.api('PUT', '/api/v2/public/environment/origins', { body: { frame_origins: [embedder.otherSite] } });
    const framed = await Visitor.arrive(lab, browser, 'framed', { open: false });
    await framed.page.goto(`${embedder.otherSite}/#${encodeURIComponent(await framedAddress(framed.url))}`);
    await framed.page.frameLocator('#frame').getByRole('link', { name: 'Open in a new window' }).waitFor();
    await take(framed.page, '24-frame-blocked');
    const inside = await Visitor.arrive(lab, browser, 'inside', { open: false });
    await inside.page.goto(`${embedder.otherSite}/#${encodeURIComponent(inside.url)}`);
    const frame = inside.page.frameLocator('#frame');
    await frame.getByRole('link', { name: 'OIDC Lab', exact: true }).click();
    const opening = inside.page.context().waitForEvent('page');
    await frame.getByRole('button', { name: 'Connect' }).click();
    const popup = await opening;
    await popup.waitForURL((url) => url.origin === lab.oidc.origin);
    await popup.close();
    await frame.getByText('The window was closed').waitFor();
    await take(inside.page, '37-frame-window-closed');
    await frame.locator('body').evaluate(() => { window.open = () => null; });
    await frame.getByRole('button', { name: 'Connect' }).click();
    await frame.getByText('opens in a new window').waitFor();
    await take(inside.page, '38-frame-onward');
  } finally {
    await embedder.close();
  }
}

/** The React components, with our looks and without. @param {Lab} lab @param {import('playwright-core').Browser} browser @param {Take} take */
async function components(lab, browser, take) {
  const built = await buildReact(19);
  try {
    for (const looks of /** @type {const} */ (['', 'unstyled'])) {
      const name = looks === '' ? 'react' : 'react-unstyled';
      const open = async (/** @type {string} */ account, /** @type {string} */ query) => openExample(
        lab, await browser.newContext(), { account, folder: built.folder, path: `/?${looks}&${query}` });
      const list = await open(`${name}-list`, '');
      await list.page.getByRole('button', { name: /^OIDC Lab/ }).waitFor();
      await take(list.page, `40-${name}-list`);
      const { page, account } = await open(`${name}-one`, `used=${OAUTH_APP}&only=${OAUTH_APP}`);
      const press = async (/** @type {string} */ button) => {
        const [popup] = await Promise.all([page.waitForEvent('popup'), page.getByRole('button', { name: button, exact: true }).click()]);
        return popup;
      };
      await page.getByRole('button', { name: 'Connect', exact: true }).waitFor();
      await take(page, `41-${name}-application`);
      const first = await press('Connect');
      await Promise.all([first.waitForEvent('close'), consent(first, account)]);
      await page.getByText('OIDC Lab is connected.').first().waitFor();
      await take(page, `42-${name}-connected`);
      await lab.evergrant.expire(await lab.evergrant.connectionId(account, OAUTH_APP));
      await page.reload();
      await page.getByRole('button', { name: 'Reconnect OIDC Lab' }).waitFor();
      await take(page, `43-${name}-expired`);
      const second = await press('Reconnect OIDC Lab');
      await page.getByText('Waiting for OIDC Lab…').first().waitFor();
      await take(page, `44-${name}-waiting`);
      await Promise.all([second.waitForEvent('close'), deny(second, account)]);
      await page.getByText('Nothing has changed').first().waitFor();
      await take(page, `45-${name}-declined`);
      await page.context().clearCookies();
      const other = await press('Reconnect OIDC Lab');
      await consent(other, 'somebody else');
      await page.getByText('That is another account').first().waitFor();
      await take(page, `46-${name}-failed`);
      await other.close();
    }
  } finally {
    await built.remove();
  }
}

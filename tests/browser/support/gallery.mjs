// Every page and state of the hosted pages, as pictures: light, dark, and on a phone.
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { startBrowser } from './browser.mjs';
import { BOTH_APP, ENDING_APP, KEYED_APP, Lab, OAUTH_APP } from './lab.mjs';
import { eventually } from './net.mjs';
import { consent, deny } from './oidc.mjs';
import { Visitor, framedAddress, startEmbedder } from './portal.mjs';

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
      ['light', 'light', DESKTOP], ['dark', 'dark', DESKTOP], ['phone', 'light', PHONE],
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

  const embedder = await startEmbedder();
  try {
    await lab.evergrant.api('PUT', '/api/v2/public/environment/origins', { body: { frame_origins: [embedder.otherSite] } });
    const framed = await Visitor.arrive(lab, browser, 'framed', { open: false });
    await framed.page.goto(`${embedder.otherSite}/#${encodeURIComponent(await framedAddress(framed.url))}`);
    await framed.page.frameLocator('#frame').getByRole('link', { name: 'Open in a new window' }).waitFor();
    await take(framed.page, '24-frame-blocked');
  } finally {
    await embedder.close();
  }
}

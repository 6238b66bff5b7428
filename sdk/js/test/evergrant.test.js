// What needs no browser: requests, answers, errors, tokens. Windows are tested in Chromium: tests/browser/sdk.test.mjs.
import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { after, before, beforeEach, test } from 'node:test';
import { Cobalt, Evergrant, EvergrantError, statusOf, takeReturn } from '../evergrant.js';

/** @type {import('node:http').Server} */ let server;
/** @type {string} */ let baseUrl;
/** What was asked, as `METHOD /path`. @type {{ line: string, token: string | undefined, body: string }[]} */ let asked;
/** @typedef {[number, unknown]} Answer */
/** @type {(line: string, token: string) => Answer | Promise<Answer>} */ let answer;

before(async () => {
  server = createServer(async (request, response) => {
    let body = '';
    for await (const chunk of request) body += chunk;
    const line = `${request.method} ${request.url}`;
    const token = request.headers.authorization?.replace('Bearer ', '') ?? '';
    asked.push({ line, token, body });
    const [status, content] = await answer(line, token);
    response.writeHead(status).end(typeof content === 'string' ? content : JSON.stringify(content));
  });
  await new Promise((done) => { server.listen(0, '127.0.0.1', () => done(undefined)); });
  baseUrl = `http://127.0.0.1:${/** @type {import('node:net').AddressInfo} */ (server.address()).port}`;
});
after(() => { server.close(); server.closeAllConnections(); });
beforeEach(() => { asked = []; answer = () => [200, {}]; });

const app = (more = {}) => ({ slug: 'twilio', name: 'Twilio', auth_type: 'keybased', auth_input_map: [{ name: 'sid' }],
  auth_type_options: { keybased: [{ name: 'sid' }], oauth2: [{ name: 'shop' }] }, reauth_required: false, ...more });
const client = (more = {}) => new Evergrant({ baseUrl, token: 'one', ...more });
const lines = () => asked.map(({ line }) => line);

test('each method asks its documented route and nothing else', async () => {
  const evergrant = client({ baseUrl: `${baseUrl}//` });
  answer = (line) => [200, line.endsWith('/save') ? { success: true } : line.endsWith('application') ? [app()] : app()];
  assert.equal((await evergrant.getApp('twilio')).slug, 'twilio');
  assert.equal((await evergrant.getApp())[0]?.slug, 'twilio');
  assert.equal((await evergrant.getApps()).length, 1);
  assert.equal(await evergrant.connect('twilio', { sid: 'AC' }), true);
  assert.equal(await evergrant.disconnect('twilio'), true);
  assert.equal(await evergrant.disconnect('twilio', 'keybased'), true);
  await evergrant.getAccountDetails();
  await evergrant.config({ slug: 'twilio', config_id: 'c' });
  assert.deepEqual(lines(), [
    'GET /api/v2/f-sdk/application/twilio', 'GET /api/v2/f-sdk/application', 'GET /api/v2/f-sdk/application',
    'POST /api/v2/app/twilio/save', 'DELETE /api/v1/linked-acc/integration/twilio',
    'DELETE /api/v1/linked-acc/integration/twilio?auth_type=keybased', 'GET /api/v3/org/basics', 'POST /api/v2/f-sdk/config',
  ]);
  assert(asked.every(({ token }) => token === 'one'));
  assert.deepEqual([asked[3], asked[7]].map((one) => JSON.parse(one?.body ?? '')), [{ sid: 'AC' }, { labels: [], slug: 'twilio', config_id: 'c' }]);
});

test('an application nobody has asked about is looked at before keys are sent', async () => {
  answer = (line) => [200, line.startsWith('POST') ? { success: true } : app()];
  assert.equal(await client().connect({ slug: 'twilio', payload: { sid: 1 } }), true);
  assert.deepEqual(lines(), ['GET /api/v2/f-sdk/application/twilio', 'POST /api/v2/app/twilio/save']);
});

test('an answer that was asked for before something was done comes too late to be news', async (t) => {
  const evergrant = client();
  let [now, late] = [app(), /** @type {Promise<void> | undefined} */ (undefined)];
  answer = (line) => {
    if (line.startsWith('POST')) now = app({ connected: true });
    const found = now;
    const held = line.startsWith('GET') ? late : undefined;
    late = undefined;
    return held ? held.then(() => [200, found]) : [200, line.startsWith('POST') ? { success: true } : found];
  };
  await evergrant.getApp('twilio');
  /** @type {string[]} */ const told = [];
  const stop = evergrant.onStatusChange('twilio', (status) => { told.push(status); });
  t.after(stop);
  let release = () => {};
  late = new Promise((done) => { release = () => done(undefined); });
  const poll = evergrant.getApp('twilio'); // as the look of every half minute does
  assert.equal(await evergrant.connect('twilio', { sid: 'AC' }), true);
  assert.deepEqual(told, ['active']);
  release();
  assert.equal(statusOf(await poll), 'none', 'who asked gets the answer');
  assert.deepEqual(told, ['active'], 'and nobody is told what is over');
});

test('what the server answers to keys is what connect resolves with', async () => {
  for (const [body, expected] of /** @type {const} */ ([[{ success: true }, true], [{ success: false }, false], [{}, false]])) {
    answer = () => [200, body];
    assert.equal(await client().connect({ slug: 'twilio', type: 'keybased', payload: { sid: 'x' } }), expected);
  }
});

test('there is one error class, with a code and the words of the server', async () => {
  const refused = { message: 'Failed to verify credentials: no', error_code: 'SERVER_ERROR', request_id: 'r-1' };
  for (const [status, body, code, message] of /** @type {const} */ ([
    [400, refused, 'SERVER_ERROR', /no$/], [404, { error: 'RESOURCE_NOT_FOUND' }, 'RESOURCE_NOT_FOUND', /404/],
    [502, 'bad gateway', 'HTTP_502', /502/], [401, { message: 'Invalid token' }, 'SESSION_EXPIRED', /expired/],
    [200, 'no json', 'BAD_RESPONSE', /JSON/], [200, 'null', 'BAD_RESPONSE', /JSON/],
  ])) {
    answer = () => [status, body];
    await assert.rejects(client().getApp('twilio'), (/** @type {any} */ error) => {
      assert(error instanceof EvergrantError && error instanceof Error);
      assert.deepEqual([error.code, error.status], [code, status]);
      assert.match(error.message, message);
      return true;
    });
  }
  await assert.rejects(client({ baseUrl: 'http://127.0.0.1:1' }).getApps(), { name: 'EvergrantError', code: 'NETWORK' });
  await assert.rejects(client().connect(''), { code: 'INVALID_ARGUMENT' });
  await assert.rejects(client().getApp(''), { code: 'INVALID_ARGUMENT' });
  assert.throws(() => new Evergrant({ baseUrl }), { code: 'INVALID_ARGUMENT' });
  assert.throws(() => new Evergrant({ token: 'x' }), { code: 'INVALID_ARGUMENT' });
});

test('a slug is one segment of a path, whatever it holds', async () => {
  answer = () => [404, { message: 'no' }];
  await assert.rejects(client().disconnect('../../x?y#z'));
  assert.deepEqual(lines(), ['DELETE /api/v1/linked-acc/integration/..%2F..%2Fx%3Fy%23z']);
});

test('a token that has expired is replaced once, for however many calls', async () => {
  let given = 0;
  const evergrant = client({ getToken: async () => { given += 1; return 'two'; } });
  answer = (_, token) => (token === 'two' ? [200, app()] : [401, { message: 'Invalid token' }]);
  await Promise.all([evergrant.getApp('twilio'), evergrant.getApp('twilio'), evergrant.getAccountDetails()]);
  assert.deepEqual([given, evergrant.token], [1, 'two']);
  answer = () => [401, { message: 'Invalid token' }];
  await assert.rejects(evergrant.getApp('twilio'), { code: 'SESSION_EXPIRED' });
  assert.equal(given, 2, 'it asks once more, not for ever');
});

test('a back end that has no token for us ends in SESSION_EXPIRED, and is asked again the next time', async () => {
  let given = 0;
  const evergrant = client({ token: undefined, getToken: () => { given += 1; if (given === 1) throw new Error('signed out'); return 'two'; } });
  answer = () => [200, app()];
  await assert.rejects(evergrant.getApp('twilio'), (/** @type {any} */ error) => error.code === 'SESSION_EXPIRED' && error.cause.message === 'signed out');
  assert.equal((await evergrant.getApp('twilio')).slug, 'twilio');
});

test('what is given up is not asked, or not waited for', async () => {
  const gone = AbortSignal.abort(new Error('left'));
  await assert.rejects(client().connect({ slug: 'twilio', signal: gone }), (/** @type {any} */ error) => error.code === 'ABORTED' && error.cause.message === 'left');
  await assert.rejects(client().getApp('twilio', { signal: gone }), { code: 'ABORTED' });
  assert.deepEqual(lines(), []);
  const later = new AbortController();
  answer = () => { later.abort(); return [200, app()]; };
  await assert.rejects(client().getApp('twilio', { signal: later.signal }), { code: 'ABORTED' });
});

test('the status is what the documented members say', () => {
  const base = /** @type {any} */ (app());
  assert.equal(statusOf(base), 'none');
  assert.equal(statusOf({ ...base, connected: true }), 'active');
  assert.equal(statusOf({ ...base, connected: true, reauth_required: true }), 'expired');
  assert.equal(statusOf({ ...base, reauth_required: true }), 'none', 'nothing to reconnect');
});

test('a change of the status is told to who listens, once, and nobody after', async (t) => {
  t.mock.timers.enable({ apis: ['setInterval'] });
  /** @type {string[]} */ const told = [];
  const evergrant = client();
  answer = () => [200, app({ connected: true })];
  await evergrant.getApp('twilio');
  const stop = evergrant.onStatusChange('twilio', (status, { slug }, before) => told.push(`${slug} ${before} ${status}`));
  await evergrant.getApp('twilio');
  answer = () => [200, app({ connected: true, reauth_required: true })];
  await evergrant.getApps().catch(() => {});
  await evergrant.getApp('twilio');
  await evergrant.getApp('twilio');
  answer = (line) => [200, line.startsWith('POST') ? { success: true } : app({ connected: true })];
  await evergrant.connect('twilio', { sid: 'x' });
  assert.deepEqual(told, ['twilio active expired', 'twilio expired active'], 'connect itself looks, too');
  stop();
  answer = () => [200, app()];
  await evergrant.getApp('twilio');
  assert.equal(told.length, 2);
});

test('who listens after something was done hears what comes next, and not what was done', async (t) => {
  t.mock.timers.enable({ apis: ['setInterval'] });
  /** @type {string[]} */ const told = [];
  const evergrant = client();
  answer = (line) => [200, line.startsWith('POST') ? { success: true } : app()];
  await evergrant.getApp('twilio');
  await evergrant.connect('twilio', { sid: 'x' });
  answer = () => [200, app({ connected: true })];
  const stop = evergrant.onStatusChange('twilio', (status, _, before) => told.push(`${before} ${status}`));
  await evergrant.getApp('twilio');
  answer = () => [200, app()];
  await evergrant.getApp('twilio');
  assert.deepEqual(told, ['active none']);
  stop();
});

test('nothing here needs a window until a consent does', () => {
  assert.equal(takeReturn(), null);
  assert.equal(Cobalt, Evergrant);
  assert.equal(client({ baseUrl: 'evergrant.example/' }).baseUrl, 'https://evergrant.example');
});

// Rendered on a server, where there is no window: nothing is asked, nothing throws. Run on React 18 and on 19.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createElement as h, version } from 'react';
import { renderToString } from 'react-dom/server';
import { Application, Applications, EvergrantProvider, ReconnectButton, useApplication } from '../dist/index.js';
import { News } from '../dist/parts.js';

const wanted = process.env.REACT ?? '19';

test(`this is React ${wanted}`, () => {
  assert.equal(version.split('.')[0], wanted);
  assert.equal(typeof globalThis.window, 'undefined');
});

const inside = (props, ...children) => renderToString(h(EvergrantProvider, { baseUrl: 'https://evergrant.example', ...props }, ...children));

for (const [name, props] of Object.entries({ 'a token': { sessionToken: 'st_x' }, 'no token yet': {}, 'getToken': { getToken: () => 'st_x' } })) {
  test(`every component renders on a server with ${name}`, () => {
    globalThis.fetch = () => assert.fail('a server must not ask');
    const html = inside(props, h(Applications, { key: 1 }), h(Application, { key: 2, slug: 'slack', id: 'c', labels: [], style: { margin: 1 } }),
      h(ReconnectButton, { key: 3, slug: 'slack' }));
    assert.match(html, /Loading…/);
    assert.match(html, /style="margin:1px"/);
    assert(!html.includes('Reconnect'), 'nothing is known to have expired');
    assert(!html.includes('st_x'), 'the token is not in the page');
  });
}

test('unstyled markup has no class names, and texts can be others', () => {
  const html = inside({ sessionToken: 'st_x', unstyled: true, texts: { loading: 'Einen Moment…' } }, h(Applications));
  assert(!html.includes('class='), html);
  assert.match(html, /Einen Moment…/);
});

test('errors that a customer can do something about are told in the product\'s words, the others in the server\'s', () => {
  const texts = { otherAccount: '{name}: ein anderes Konto', sessionExpired: 'Bitte neu laden' };
  for (const [code, told] of [['ACCOUNT_MISMATCH', 'Acme: ein anderes Konto'], ['SESSION_EXPIRED', 'Bitte neu laden'], ['HTTP_503', 'As it came']]) {
    const html = inside({ sessionToken: 'st_x', texts }, h(News, { app: { error: { code, message: 'As it came' } }, name: 'Acme' }));
    assert(html.includes(told), html);
  }
});

test('the hook says that nothing is known yet', () => {
  let seen;
  const Probe = () => { seen = useApplication('slack'); return null; };
  inside({ sessionToken: 'st_x' }, h(Probe));
  assert.deepEqual([seen.application, seen.status, seen.busy, seen.outcome, seen.error], Array(5).fill(undefined));
});

test('outside of a provider components say what is missing', () => {
  assert.throws(() => renderToString(h(Applications)), /EvergrantProvider/);
});

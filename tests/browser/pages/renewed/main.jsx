// A product that renews its customer's session by itself, as many do: the components get another token while they are in use.
import { Application, EvergrantProvider } from '@evergrant/react';
import '@evergrant/react/style.css';
import { StrictMode, useState } from 'react';
import { createRoot } from 'react-dom/client';

const session = async () => (await fetch('/session')).json();
const slug = new URLSearchParams(location.search).get('only');

function Page({ first }) {
  const [{ baseUrl, token }, renew] = useState(first);
  return (
    <main>
      <button type="button" onClick={async () => renew(await session())}>New session</button>
      <EvergrantProvider baseUrl={baseUrl} sessionToken={token}><Application slug={slug} /></EvergrantProvider>
    </main>
  );
}

createRoot(document.getElementById('root')).render(<StrictMode><Page first={await session()} /></StrictMode>);

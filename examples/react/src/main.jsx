import { Application, Applications, EvergrantProvider, ReconnectButton } from '@evergrant/react';
import '@evergrant/react/style.css';
import { StrictMode } from 'react';
import { createRoot } from 'react-dom/client';
import './page.css';

// Your back end says where Evergrant is, and gives a session token for the customer who is signed in.
const session = async () => (await fetch('/session')).json();
const { baseUrl, token } = await session();
const getToken = async () => (await session()).token;

// Where in your product an application is used, a button beside it is enough: it is there when it is needed.
const used = new URLSearchParams(location.search).get('used');
const only = new URLSearchParams(location.search).get('only');
const unstyled = new URLSearchParams(location.search).has('unstyled');

function Page() {
  return (
    <EvergrantProvider baseUrl={baseUrl} sessionToken={token} getToken={getToken} unstyled={unstyled}>
      <main>
        <h1>Integrations</h1>
        {used && <ReconnectButton slug={used} />}
        {only ? <Application slug={only} id="example" labels={[]} style={{ maxWidth: '34rem' }} /> : <Applications />}
      </main>
    </EvergrantProvider>
  );
}

createRoot(document.getElementById('root')).render(<StrictMode><Page /></StrictMode>);

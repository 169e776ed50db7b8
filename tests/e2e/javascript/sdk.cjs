#!/usr/bin/env node
/*
 * Drives a server through the official, unmodified @ringcentral/sdk, for the tests beside it.
 *
 * Usage: sdk.cjs expiry | lifecycle. Takes RC_SERVER_URL, RC_APP_CLIENT_ID, RC_APP_CLIENT_SECRET and RC_USER_JWT from the
 * environment, as `bellwire env` prints them; lifecycle also WEBHOOK_URL. Prints one JSON object a line for each step.
 * Exit status: 0 all went well, 1 a step failed, 2 bad usage, 3 the SDK threw outside any promise.
 */
const readline = require('node:readline');
const { SDK } = require('@ringcentral/sdk');

const SUBSCRIPTION = '/restapi/v1.0/subscription';
const ACCOUNT = '/restapi/v1.0/account/~';
const say = (step, facts = {}) => console.log(JSON.stringify({ step, ...facts }));

process.on('uncaughtException', (error) => {
  say('uncaught', { error: String(error) });
  process.exit(3);
});

/* Case 28: the token expires by the server's clock while the SDK still thinks it valid. */
async function expiry(platform) {
  const read = async () => {
    const answer = await platform.get(ACCOUNT);
    say('read', { status: answer.status, id: (await answer.json()).id });
  };
  const login = await platform.login({ jwt: process.env.RC_USER_JWT, access_token_ttl: 600 });
  say('login', { expires_in: (await login.json()).expires_in });
  await read();
  say('waiting');
  for await (const _line of readline.createInterface({ input: process.stdin })) break;
  await read();
  say('token', { expires_in: (await platform.auth().data()).expires_in });
}

/* Cases 26 and 27 among them: a content type on requests without a body, and `null` for a body. */
async function lifecycle(platform) {
  await platform.login({ jwt: process.env.RC_USER_JWT });
  const answered = async (step, promise) => {
    const answer = await promise;
    const body = answer.status === 204 ? {} : await answer.json();
    say(step, { status: answer.status, body });
    return body;
  };
  const made = await answered('create', platform.post(SUBSCRIPTION, {
    eventFilters: ['/restapi/v1.0/account/~/extension/~/presence'],
    deliveryMode: { transportType: 'WebHook', address: process.env.WEBHOOK_URL, verificationToken: 't0ken' },
    expiresIn: 3600,
  }));
  const path = `${SUBSCRIPTION}/${made.id}`;
  await answered('list', platform.get(SUBSCRIPTION));
  await answered('read', platform.get(path));
  await answered('null', platform.put(path, null));
  await answered('renew', platform.post(`${path}/renew`));
  await answered('delete', platform.delete(path));
  try {
    await platform.get(path);
  } catch (error) {
    say('gone', { status: error.response.status, message: error.message });
  }
  await platform.logout();
  say('logout');
}

async function main() {
  const task = { expiry, lifecycle }[process.argv[2]];
  if (!task) {
    console.error('usage: sdk.cjs expiry | lifecycle');
    return 2;
  }
  const sdk = new SDK({
    server: process.env.RC_SERVER_URL,
    clientId: process.env.RC_APP_CLIENT_ID,
    clientSecret: process.env.RC_APP_CLIENT_SECRET,
  });
  const platform = sdk.platform();
  const client = sdk.client();
  client.on(client.events.requestSuccess, (answer, request) => {
    say('request', { method: request.method, path: new URL(request.url).pathname, status: answer.status });
  });
  client.on(client.events.requestError, (error) => {
    say('refused', { status: error.response ? error.response.status : 0, message: error.message });
  });
  platform.on(platform.events.refreshSuccess, () => say('refreshed'));
  try {
    await task(platform);
    return 0;
  } catch (error) {
    say('failed', { error: String(error) });
    return 1;
  }
}

main().then((code) => process.exit(code));

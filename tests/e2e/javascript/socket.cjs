#!/usr/bin/env node
/*
 * Drives a server's WebSocket gateway through official, unmodified packages, for the tests beside it.
 *
 * Usage: socket.cjs subscriptions | extensible | rest | failing
 *   subscriptions  @ringcentral/sdk with @ringcentral/subscriptions
 *   extensible     @rc-ex/core with @rc-ex/ws, with automatic recovery and REST over the socket
 *   rest           the same, without a subscription
 *   failing        a subscription whose event filters are refused
 * Takes RC_SERVER_URL, RC_APP_CLIENT_ID, RC_APP_CLIENT_SECRET, RC_USER_JWT and FILTERS (with commas) from the
 * environment. Subscribes, prints one JSON object a line for each step and notification, and ends with a line of input;
 * but the line `read` makes a REST request.
 * Exit status: 0 all went well, 1 a step failed, 2 bad usage, 3 a package threw outside any promise.
 */
const readline = require('node:readline');

const env = process.env;
const ACCOUNT = '/restapi/v1.0/account/~';
const filters = (env.FILTERS || '').split(',');
const say = (step, facts = {}) => console.log(JSON.stringify({ step, ...facts }));
const noted = (body) => say('notification', { uuid: body.uuid, subscriptionId: body.subscriptionId, body: body.body });

process.on('uncaughtException', (error) => {
  say('uncaught', { error: String(error), stack: (error.stack || '').split('\n').slice(1, 4) });
  process.exit(3);
});

async function input(read) {
  for await (const line of readline.createInterface({ input: process.stdin })) {
    if (line !== 'read') break;
    say('read', { id: await read() });
  }
}

async function sdkSubscription() {
  const { SDK } = require('@ringcentral/sdk');
  const { Subscriptions } = require('@ringcentral/subscriptions');
  const sdk = new SDK({ server: env.RC_SERVER_URL, clientId: env.RC_APP_CLIENT_ID, clientSecret: env.RC_APP_CLIENT_SECRET });
  await sdk.platform().login({ jwt: env.RC_USER_JWT });
  const subscription = new Subscriptions({ sdk }).createSubscription();
  subscription.on(subscription.events.notification, noted);
  return { sdk, subscription };
}

async function subscriptions() {
  const { sdk, subscription } = await sdkSubscription();
  const live = await subscription.setEventFilters(filters).register();
  say('subscribed', { id: live.subscriptionInfo.id });
  for (const name of ['autoRecoverSuccess', 'autoRecoverFailed', 'autoRecoverError']) {
    live.wse.eventEmitter.on(name, () => say(name));
  }
  await input(async () => (await (await sdk.platform().get(ACCOUNT)).json()).id);
  await live.wse.revoke();
  await sdk.platform().logout();
}

async function failing() {
  const { sdk, subscription } = await sdkSubscription();
  try {
    await subscription.setEventFilters(filters).register();
    say('accepted');
  } catch (error) {
    say('rejected', { status: error.response && error.response.status, message: error.message });
  }
  await sdk.platform().logout();
}

async function core(options) {
  const RingCentral = require('@rc-ex/core').default;
  const WebSocketExtension = require('@rc-ex/ws').default;
  const rc = new RingCentral({ server: env.RC_SERVER_URL, clientId: env.RC_APP_CLIENT_ID, clientSecret: env.RC_APP_CLIENT_SECRET });
  await rc.authorize({ jwt: env.RC_USER_JWT });
  const socket = new WebSocketExtension(options);
  await rc.installExtension(socket);
  return { rc, socket };
}

async function extensible() {
  const { rc, socket } = await core({ autoRecover: { enabled: true }, restOverWebSocket: true });
  const subscription = await socket.subscribe(filters, noted);
  say('subscribed', { id: subscription.subscriptionInfo.id });
  await input(async () => (await rc.get(ACCOUNT)).data.id);
  await socket.revoke();
  await rc.revoke();
}

async function rest() {
  const { rc, socket } = await core({ restOverWebSocket: true });
  say('read', { id: (await rc.get(ACCOUNT)).data.id });
  try {
    await rc.get('/restapi/v1.0/subscription/00000000-0000-4000-8000-000000000000');
  } catch (error) {
    say('missing', { status: error.response && error.response.status, message: error.message });
  }
  await socket.revoke();
  await rc.revoke();
}

async function main() {
  const task = { subscriptions, extensible, rest, failing }[process.argv[2]];
  if (!task) {
    console.error('usage: socket.cjs subscriptions | extensible | rest | failing');
    return 2;
  }
  try {
    await task();
    return 0;
  } catch (error) {
    say('failed', { error: String(error) });
    return 1;
  }
}

main().then((code) => process.exit(code));

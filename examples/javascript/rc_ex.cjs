#!/usr/bin/env node
/*
 * Get notifications over a WebSocket with @rc-ex/core and @rc-ex/ws, unmodified: `npm install` here.
 *
 * node rc_ex.cjs [EVENT_FILTER…]
 *
 * A lost connection is recovered by the package itself, and REST requests go over the same socket.
 */
const RingCentral = require('@rc-ex/core').default;
const WebSocketExtension = require('@rc-ex/ws').default;

const { RC_SERVER_URL, RC_APP_CLIENT_ID, RC_APP_CLIENT_SECRET, RC_USER_JWT } = process.env;
const given = process.argv.slice(2);
const filters = given.length ? given : ['/restapi/v1.0/account/~/extension/~/presence'];

async function main() {
  const rc = new RingCentral({ server: RC_SERVER_URL, clientId: RC_APP_CLIENT_ID, clientSecret: RC_APP_CLIENT_SECRET });
  await rc.authorize({ jwt: RC_USER_JWT });
  const socket = new WebSocketExtension({ restOverWebSocket: true, autoRecover: { enabled: true } });
  await rc.installExtension(socket);
  const account = await rc.get('/restapi/v1.0/account/~');
  const subscription = await socket.subscribe(filters, (notification) => console.log(JSON.stringify(notification)));
  console.log('account', account.data.id);
  console.log('subscribed to', ...subscription.subscriptionInfo.eventFilters);
}

main().catch((error) => {
  console.error(error.message);
  process.exit(1);
});

#!/usr/bin/env node
/*
 * Get notifications over a WebSocket with @ringcentral/sdk and @ringcentral/subscriptions, unmodified: `npm install` here.
 *
 * node subscriptions.cjs [EVENT_FILTER…]
 *
 * A lost connection is recovered by the package itself: up to 100 notifications that were missed come then, and when it
 * took longer than 180 s, it subscribes again.
 */
const { SDK } = require('@ringcentral/sdk');
const { Subscriptions } = require('@ringcentral/subscriptions');

const { RC_SERVER_URL, RC_APP_CLIENT_ID, RC_APP_CLIENT_SECRET, RC_USER_JWT } = process.env;
const given = process.argv.slice(2);
const filters = given.length ? given : ['/restapi/v1.0/account/~/extension/~/presence'];

async function main() {
  const sdk = new SDK({ server: RC_SERVER_URL, clientId: RC_APP_CLIENT_ID, clientSecret: RC_APP_CLIENT_SECRET });
  await sdk.platform().login({ jwt: RC_USER_JWT });
  const subscription = new Subscriptions({ sdk }).createSubscription();
  subscription.on(subscription.events.notification, (notification) => console.log(JSON.stringify(notification)));
  const live = await subscription.setEventFilters(filters).register();
  console.log('subscribed to', ...live.subscriptionInfo.eventFilters);
}

main().catch((error) => {
  console.error(error.message);
  process.exit(1);
});

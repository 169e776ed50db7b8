PRAGMA user_version=1;
BEGIN TRANSACTION;
CREATE TABLE attempt_498728 (id INTEGER PRIMARY KEY, subscription TEXT NOT NULL, position INTEGER NOT NULL, topic TEXT NOT NULL, uuid TEXT NOT NULL, number INTEGER NOT NULL, address TEXT NOT NULL, started_ms INTEGER NOT NULL, duration_us INTEGER NOT NULL, outcome INTEGER NOT NULL, failure TEXT, status INTEGER NOT NULL, detail TEXT NOT NULL, next_try_ms INTEGER);
INSERT INTO "attempt_498728" VALUES(1,'d6d5598b-c2f8-4355-bb57-7eb773c67993',1,'/restapi/v1.0/account/400100/a2p-sms/opt-outs','past-1',1,'http://127.0.0.1:@PORT@/webhook/failing',1795421566592,1638,1,'status_5xx',503,'The endpoint failed to take the notification (status 503).',1795421567584);
INSERT INTO "attempt_498728" VALUES(2,'50331a0c-34ba-4b34-9f90-ad087f87a740',1,'/restapi/v1.0/account/400100/a2p-sms/opt-outs','past-1',1,'http://127.0.0.1:@PORT@/webhook',1795421566592,1785,0,NULL,200,'',NULL);
INSERT INTO "attempt_498728" VALUES(3,'50331a0c-34ba-4b34-9f90-ad087f87a740',2,'/restapi/v1.0/account/400100/a2p-sms/opt-outs','past-2',1,'http://127.0.0.1:@PORT@/webhook',1795421566635,669,0,NULL,200,'',NULL);
INSERT INTO "attempt_498728" VALUES(4,'d6d5598b-c2f8-4355-bb57-7eb773c67993',2,'/restapi/v1.0/account/400100/a2p-sms/opt-outs','past-2',1,'http://127.0.0.1:@PORT@/webhook/failing',1795421566639,139,1,'status_5xx',503,'The endpoint failed to take the notification (status 503).',1795421568327);
INSERT INTO "attempt_498728" VALUES(5,'50331a0c-34ba-4b34-9f90-ad087f87a740',3,'/restapi/v1.0/account/400100/a2p-sms/opt-outs','past-3',1,'http://127.0.0.1:@PORT@/webhook',1795421566681,821,0,NULL,200,'',NULL);
INSERT INTO "attempt_498728" VALUES(6,'d6d5598b-c2f8-4355-bb57-7eb773c67993',3,'/restapi/v1.0/account/400100/a2p-sms/opt-outs','past-3',1,'http://127.0.0.1:@PORT@/webhook/failing',1795421566687,187,1,'status_5xx',503,'The endpoint failed to take the notification (status 503).',1795421570466);
INSERT INTO "attempt_498728" VALUES(7,'50331a0c-34ba-4b34-9f90-ad087f87a740',4,'/restapi/v1.0/account/400100/a2p-sms/opt-outs','past-4',1,'http://127.0.0.1:@PORT@/webhook',1795421566729,595,0,NULL,200,'',NULL);
INSERT INTO "attempt_498728" VALUES(8,'50331a0c-34ba-4b34-9f90-ad087f87a740',5,'/restapi/v1.0/account/400100/a2p-sms/opt-outs','past-5',1,'http://127.0.0.1:@PORT@/webhook',1795421566824,1010,0,NULL,200,'',NULL);
INSERT INTO "attempt_498728" VALUES(9,'50331a0c-34ba-4b34-9f90-ad087f87a740',6,'/restapi/v1.0/account/400100/a2p-sms/opt-outs','past-6',1,'http://127.0.0.1:@PORT@/webhook',1795421566885,753,0,NULL,200,'',NULL);
CREATE TABLE attempt_hour (
    hour INTEGER PRIMARY KEY, first_id INTEGER NOT NULL, indexed_to INTEGER NOT NULL, is_dropped INTEGER NOT NULL
);
INSERT INTO "attempt_hour" VALUES(498728,1,1,0);
CREATE TABLE attempt_index_498728 (segment INTEGER, subscription TEXT, id INTEGER, PRIMARY KEY (segment, subscription, id)) WITHOUT ROWID;
CREATE TABLE backlog (
    subscription TEXT NOT NULL, seq INTEGER NOT NULL, topic TEXT NOT NULL, key TEXT NOT NULL,
    filter_version INTEGER NOT NULL, filter_index INTEGER NOT NULL, bytes INTEGER NOT NULL,
    PRIMARY KEY (subscription, seq, topic)
) WITHOUT ROWID;
INSERT INTO "backlog" VALUES('d6d5598b-c2f8-4355-bb57-7eb773c67993',1,'/restapi/v1.0/account/400100/a2p-sms/opt-outs','+16505550180 +12015550001',1,0,83);
INSERT INTO "backlog" VALUES('d6d5598b-c2f8-4355-bb57-7eb773c67993',2,'/restapi/v1.0/account/400100/a2p-sms/opt-outs','+16505550180 +12015550002',1,0,83);
INSERT INTO "backlog" VALUES('d6d5598b-c2f8-4355-bb57-7eb773c67993',3,'/restapi/v1.0/account/400100/a2p-sms/opt-outs','+16505550180 +12015550003',1,0,83);
INSERT INTO "backlog" VALUES('d6d5598b-c2f8-4355-bb57-7eb773c67993',4,'/restapi/v1.0/account/400100/a2p-sms/opt-outs','+16505550180 +12015550004',1,0,83);
INSERT INTO "backlog" VALUES('d6d5598b-c2f8-4355-bb57-7eb773c67993',5,'/restapi/v1.0/account/400100/a2p-sms/opt-outs','+16505550180 +12015550005',1,0,83);
INSERT INTO "backlog" VALUES('d6d5598b-c2f8-4355-bb57-7eb773c67993',6,'/restapi/v1.0/account/400100/a2p-sms/opt-outs','+16505550180 +12015550006',1,0,83);
CREATE TABLE kept (seq INTEGER PRIMARY KEY, event BLOB NOT NULL);
CREATE TABLE watermark (
    partition INTEGER PRIMARY KEY, position INTEGER NOT NULL, epoch INTEGER NOT NULL, floor INTEGER NOT NULL
);
INSERT INTO "watermark" VALUES(0,6,1,9);
COMMIT;

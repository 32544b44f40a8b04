"use strict";

// The example in README.md.

const docusign = require("docusign-esign");

function connect(url, key) {
    const client = new docusign.ApiClient();
    client.setBasePath(url + "/restapi");
    client.addDefaultHeader("Authorization", "Bearer " + key);
    return client;
}

async function rename(client, accountId, envelopeId, subject) {
    const envelopes = new docusign.EnvelopesApi(client);
    const lock = await envelopes.createLock(accountId, envelopeId, {
        lockRequest: { lockDurationInSeconds: "600", lockedByApp: "Contract editor" },
    });
    client.addDefaultHeader("X-DocuSign-Edit", JSON.stringify({ LockToken: lock.lockToken }));
    await envelopes.update(accountId, envelopeId, { envelope: { emailSubject: subject } });
    await envelopes.deleteLock(accountId, envelopeId);
}

module.exports = { connect, rename };

"use strict";

// Drives a running server with DocuSign's SDK as its users would: two people
// and one envelope. It ends with exit status 0 if all goes as DocuSign says.

const assert = require("node:assert/strict");
const docusign = require("docusign-esign");
const { connect, rename } = require("./rename.js");

const { SERVER, ACCOUNT, ENVELOPE, HER_KEY, HIS_KEY } = process.env;

// refused waits for a call to fail, with this status and code.
async function refused(call, status, code) {
    await assert.rejects(call, (err) => {
        assert.equal(err.response.status, status);
        assert.equal(err.response.data.errorCode, code);
        assert.deepEqual(Object.keys(err.response.data), ["errorCode", "message"]);
        return true;
    });
}

// locking drives the four verbs, of envelopes or of templates.
async function locking(Api, notLocked) {
    const her = connect(SERVER, HER_KEY);
    const hers = new Api(her);
    const his = new Api(connect(SERVER, HIS_KEY));
    await refused(hers.getLock(ACCOUNT, ENVELOPE), 404, notLocked);

    const lock = await hers.createLock(ACCOUNT, ENVELOPE, {
        lockRequest: docusign.LockRequest.constructFromObject({
            lockDurationInSeconds: "600", lockedByApp: "Contract editor", lockType: "edit", useScratchPad: "false",
        }),
    });
    assert.ok(lock.lockToken);
    assert.equal(lock.lockDurationInSeconds, "600");
    assert.equal(lock.lockedByApp, "Contract editor");
    assert.equal(lock.lockType, "edit");
    assert.equal(lock.useScratchPad, "false");
    assert.equal(lock.lockedByUser.userName, "Grace");
    assert.ok(Date.parse(lock.lockedUntilDateTime) > Date.now());

    // He is told who has it, and until when, and not the token.
    await refused(his.createLock(ACCOUNT, ENVELOPE, {}), 400, "EDIT_LOCK_NOT_LOCK_OWNER");
    const seen = await his.getLock(ACCOUNT, ENVELOPE);
    assert.equal(seen.lockToken, undefined);
    assert.equal(seen.lockedUntilDateTime, lock.lockedUntilDateTime);
    assert.equal(seen.lockedByUser.email, "grace@example.com");

    // Without the header nobody changes it, she neither.
    const patch = { envelope: { emailSubject: "Somebody else's" } };
    await refused(new docusign.EnvelopesApi(her).update(ACCOUNT, ENVELOPE, patch), 400, "EDIT_LOCK_NOT_LOCK_OWNER");
    await refused(hers.updateLock(ACCOUNT, ENVELOPE, { lockRequest: {} }), 400, "EDIT_LOCK_NOT_LOCK_OWNER");
    await refused(hers.deleteLock(ACCOUNT, ENVELOPE), 400, "EDIT_LOCK_NOT_LOCK_OWNER");

    // The header rides on every call of her client from now on.
    const token = (await hers.getLock(ACCOUNT, ENVELOPE)).lockToken;
    assert.equal(token, lock.lockToken);
    her.addDefaultHeader("X-DocuSign-Edit", JSON.stringify({ LockToken: token, LockDurationInSeconds: "600" }));
    await refused(hers.createLock(ACCOUNT, ENVELOPE, {}), 400, "EDIT_LOCK_NOT_LOCK_OWNER");
    assert.equal((await hers.getLock(ACCOUNT, ENVELOPE)).lockToken, token);
    const renewed = await hers.updateLock(ACCOUNT, ENVELOPE, { lockRequest: { lockDurationInSeconds: "3600", lockedByApp: "Another editor" } });
    assert.equal(renewed.lockDurationInSeconds, "1800");
    assert.equal(renewed.lockedByApp, "Another editor");
    assert.equal(renewed.lockToken, token);
    const updated = await new docusign.EnvelopesApi(her).update(ACCOUNT, ENVELOPE, { envelope: { emailSubject: "Hers", emailBlurb: "with love" } });
    assert.equal(updated.envelopeId, ENVELOPE);
    const envelope = await new docusign.EnvelopesApi(her).getEnvelope(ACCOUNT, ENVELOPE);
    assert.equal(envelope.emailSubject, "Hers");
    assert.equal(envelope.emailBlurb, "with love");
    assert.equal(envelope.lockInformation.lockToken, token);
    const his_view = await new docusign.EnvelopesApi(connect(SERVER, HIS_KEY)).getEnvelope(ACCOUNT, ENVELOPE);
    assert.equal(his_view.lockInformation.lockedByApp, "Another editor");
    assert.equal(his_view.lockInformation.lockToken, undefined);

    // Released: the stale header is in nobody's way on createLock and getLock.
    assert.equal((await hers.deleteLock(ACCOUNT, ENVELOPE)).lockedByApp, "Another editor");
    await refused(hers.getLock(ACCOUNT, ENVELOPE), 404, notLocked);
    await refused(hers.deleteLock(ACCOUNT, ENVELOPE), 404, notLocked);
    const again = await hers.createLock(ACCOUNT, ENVELOPE);
    assert.notEqual(again.lockToken, token);
    assert.equal(again.lockDurationInSeconds, "300");
    await refused(hers.deleteLock(ACCOUNT, ENVELOPE), 400, "EDIT_LOCK_NOT_LOCK_OWNER");

    // The header's other form.
    her.addDefaultHeader("X-DocuSign-Edit", `<DocuSignEdit><LockToken>${again.lockToken}</LockToken><LockDurationInSeconds>600</LockDurationInSeconds></DocuSignEdit>`);
    assert.equal((await hers.deleteLock(ACCOUNT, ENVELOPE)).lockToken, again.lockToken);
}

async function main() {
    await locking(docusign.EnvelopesApi, "EDIT_LOCK_ENVELOPE_NOT_LOCKED");
    await locking(docusign.TemplatesApi, "EDIT_LOCK_TEMPLATE_NOT_LOCKED");
    await rename(connect(SERVER, HER_KEY), ACCOUNT, ENVELOPE, "Renamed by the SDK");
}

main().catch((err) => {
    console.error(err.response ? `${err.response.status} ${JSON.stringify(err.response.data)}\n${err.stack}` : err);
    process.exitCode = 1;
});

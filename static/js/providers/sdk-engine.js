/**
 * What the engines of SDKs share whose server changes rights on an open connection: tokens count when joining only, and
 * the server's permissions decide about sending. A subclass has `maySend` and `outgoing`.
 * @module providers/sdk-engine
 */

export class SdkEngine {
  /** @param {{sdk: object, pass: import("./interface.js").Descriptor, report: import("./interface.js").Report}} given */
  constructor({ sdk, pass, report }) {
    this.sdk = sdk;
    this.pass = pass;
    this.report = report;
  }

  /** Keep a new token for the next join. */
  async renew(pass) {
    this.pass = pass;
    return true;
  }

  /** Take over a changed role, if the server has changed it already. Another identity needs another connection. */
  async become(pass) {
    if (pass.uid !== this.pass.uid || this.maySend !== pass.privileges.can_publish) return false;
    return this.renew(pass);
  }

  send(media) {
    return this.outgoing.set(media);
  }

  unsend() {
    return this.outgoing.set(null);
  }
}

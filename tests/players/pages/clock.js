/** The page's timers and its time, moved by a test. */
const timer = window.setTimeout.bind(window);

/** Let the page run all that waits for nothing but an earlier step. */
const settled = async () => { for (let i = 0; i < 8; i += 1) await Promise.resolve(); };

/** Let the browser load what the page has imported: this takes real time. */
export const breathe = () => new Promise((resolve) => { timer(resolve, 0); });

/** A clock that advances only on request. */
export class Clock {
  constructor() {
    this.now = 1_700_000_000_000;
    this.jobs = new Map();
    this.last = 0;
    window.setTimeout = (job, ms = 0) => { this.jobs.set(++this.last, { at: this.now + ms, job }); return this.last; };
    window.clearTimeout = (id) => { this.jobs.delete(id); };
    Date.now = () => this.now;
  }

  async pass(ms) {
    const end = this.now + ms;
    for (;;) {
      await settled();
      const [id, next] = [...this.jobs].filter(([, { at }]) => at <= end).sort(([a, one], [b, two]) => one.at - two.at || a - b)[0] || [];
      if (!id) break;
      this.jobs.delete(id);
      this.now = Math.max(this.now, next.at);
      next.job();
    }
    this.now = end;
    await settled();
  }
}

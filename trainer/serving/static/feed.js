// What is new, as the server sends it; asked for now and then where a proxy holds back what is sent.

const FIRST_WORD_MS = 5_000;
const SILENCE_MS = 25_000; // the server says something every 10 s
const ASK_EVERY_MS = 2_000;
const TRY_AGAIN_MS = 60_000;
const ANSWER_MS = 10_000;

export class Feed {
  /**
   * @param mark says what is known, as the server called it
   * @param hear takes what is new
   * @param tell is told whether the server answers
   */
  constructor(mark, hear, tell) {
    this.mark = mark;
    this.hear = hear;
    this.tell = tell;
    this.heardAt = 0;
    this.isSent = false; // what is new reaches us as it is sent
    document.addEventListener("visibilitychange", () => {
      // A phone that was asleep: its connection may be long gone without a word.
      if (!document.hidden && performance.now() - this.heardAt > ASK_EVERY_MS) this.listen();
    });
    this.listen();
  }

  get query() {
    return new URLSearchParams({ mark: this.mark(), zone: -new Date().getTimezoneOffset() });
  }

  /** Have the server send what is new. */
  listen() {
    this.stop();
    const source = new EventSource(`events?${this.query}`);
    this.source = source;
    this.expect(FIRST_WORD_MS);
    source.onmessage = (event) => {
      this.isSent = true;
      this.expect(SILENCE_MS);
      this.take(JSON.parse(event.data));
    };
    source.onerror = () => {
      if (source === this.source) this.ask();
    };
  }

  /** Ask until there is an answer, and listen again; where nothing is sent ask on, and try that again now and then. */
  async ask(since = performance.now()) {
    this.stop();
    const turn = (this.turn = {});
    try {
      const answer = await fetch(`news?${this.query}`, { signal: AbortSignal.timeout(ANSWER_MS) });
      if (!answer.ok) throw new Error(answer.statusText);
      const news = await answer.json();
      if (turn !== this.turn) return;
      this.take(news);
    } catch {
      if (turn !== this.turn) return;
      this.tell(false);
      this.timer = setTimeout(() => this.ask(since), ASK_EVERY_MS);
      return;
    }
    if (this.isSent || performance.now() - since > TRY_AGAIN_MS) {
      this.isSent = false;
      this.listen();
    } else {
      this.timer = setTimeout(() => this.ask(since), ASK_EVERY_MS);
    }
  }

  take(news) {
    this.heardAt = performance.now();
    this.tell(true);
    this.hear(news);
  }

  expect(milliseconds) {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.ask(), milliseconds);
  }

  stop() {
    clearTimeout(this.timer);
    this.turn = null;
    this.source?.close();
    this.source = null;
  }
}

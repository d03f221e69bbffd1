/* The player of a card: several sounds of one length; one of them plays, all keep one position. */

class Player {
  static playing = null; // of all players on the page, the one that plays

  constructor(root, heads) {
    this.root = root;
    this.heads = heads;
    this.seconds = Number(root.dataset.seconds);
    this.tracks = [...root.querySelectorAll("audio")];
    this.choices = [...root.querySelectorAll("input[type=radio]")];
    this.slider = root.querySelector("input[type=range]");
    this.button = root.querySelector(".play");
    this.clock = root.querySelector(".clock");
    this.trouble = root.querySelector(".trouble");
    this.track = this.tracks[0];
    this.position = 0;
    this.listen();
  }

  listen() {
    this.button.addEventListener("click", () => this.toggle());
    this.slider.addEventListener("input", () => this.seek(Number(this.slider.value)));
    this.choices.forEach((choice, at) => choice.addEventListener("change", () => this.choose(at)));
    this.root.addEventListener("keydown", (event) => this.press(event));
    this.tracks.forEach((track) => {
      track.addEventListener("ended", () => this.end(track));
      track.addEventListener("error", () => this.fail(track));
    });
  }

  get plays() {
    return Player.playing === this;
  }

  toggle() {
    if (this.plays) this.pause();
    else this.play();
  }

  play() {
    if (Player.playing) Player.playing.pause();
    Player.playing = this;
    this.tracks.forEach((track) => { track.preload = "auto"; }); // so that switching is quick
    this.button.textContent = "Pause";
    this.start();
    this.follow();
  }

  start() {
    const track = this.track;
    track.currentTime = this.position;
    track.play().catch((error) => {
      if (error.name !== "AbortError") this.fail(track); // paused again before it began
    });
  }

  pause() {
    this.read();
    this.track.pause();
    this.button.textContent = "Play";
    if (this.plays) Player.playing = null;
    this.draw();
  }

  /* Another sound, from where this one is. */
  choose(at) {
    this.choices[at].checked = true;
    if (this.track === this.tracks[at]) return;
    this.read();
    this.track.pause();
    this.track = this.tracks[at];
    if (this.plays) this.start();
  }

  seek(seconds) {
    this.position = Math.min(Math.max(seconds, 0), this.seconds);
    if (this.plays) this.track.currentTime = this.position;
    this.draw();
  }

  end(track) {
    if (track !== this.track || !this.plays) return;
    this.pause();
    this.seek(0);
  }

  fail(track) {
    if (track !== this.track) return; // it is reported once it is chosen
    this.pause();
    this.trouble.textContent = "This sound cannot be played. If the page has a folder of sounds and"
      + " pictures, it must be beside the page.";
  }

  read() {
    if (this.plays && !this.track.seeking) this.position = this.track.currentTime;
  }

  follow() {
    if (!this.plays) return;
    this.read();
    this.draw();
    requestAnimationFrame(() => this.follow());
  }

  draw() {
    const text = `${this.position.toFixed(1)} / ${this.seconds.toFixed(1)} s`;
    this.slider.value = this.position;
    this.slider.setAttribute("aria-valuetext", text);
    this.clock.textContent = text;
    this.heads.forEach((head) => { head.style.left = `${100 * this.position / this.seconds}%`; });
  }

  press(event) {
    if (event.ctrlKey || event.altKey || event.metaKey) return;
    const at = "123456789".indexOf(event.key);
    if (at >= 0 && at < this.choices.length) {
      this.choose(at);
    } else if (event.key !== " " || event.target === this.button) {
      return; // a space presses the button anyway
    } else {
      this.toggle();
    }
    event.preventDefault();
  }
}

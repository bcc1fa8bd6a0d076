/**
 * The guests in the studio: their tiles in place of the plain preview while anybody is on stage, and their voices.
 * @module studio/stage
 */
import { need, setIcon } from "../lib/dom.js";
import { viaSdk } from "../providers/transport.js";
import { Sound } from "../player/sound.js";
import { StageReceiver, sectionsFor } from "../stage/receiver.js";
import { StageView } from "../stage/view.js";
import { WhepConnection } from "../providers/whep.js";

/**
 * @param {HTMLElement} root the preview
 * @param {{store: import("../room/store.js").RoomStore, source: import("./source.js").Source}} studio
 */
export async function studioStage(root, { store, source }) {
  const { id, provider, host } = store.session;
  const whep = viaSdk(provider) ? new (await import("../providers/sdk-player.js")).Watching(id, { hostId: host.id }) : new WhepConnection(id);
  const sound = new Sound();
  const receiver = whep.receiver?.({ store, sound }) ?? new StageReceiver({ whep, store, sound });
  const view = new StageView(need("[data-stage]", root), { store, receiver });
  const button = need("[data-guest-sound]", root);

  const wanted = () => store.live && (store.guests.length > 0 || Boolean(source.screen && source.camera));
  const paint = () => {
    const shown = wanted() && source.ready;
    const listening = store.live && store.guests.length > 0;
    if (listening && !whep.wanted) {
      whep.reshape(sectionsFor({ onStage: true, settings: store.session.settings }));
      whep.start();
    } else if (!listening && whep.wanted) {
      whep.stop({ over: store.over });
    }
    view.setOwn({ here: source.ready, camera: source.on.camera ? source.camera : null, screen: source.screen, mirror: source.choice.mirror, level: () => (source.on.microphone ? source.meter.level / 4 : 0) });
    view.show(shown);
    root.classList.toggle("staged", shown);
    button.hidden = !listening;
  };
  const paintSound = () => {
    setIcon(button, sound.silent ? "volume-off" : "volume");
    button.setAttribute("aria-label", sound.silent ? "Unmute guests on this page" : "Mute guests on this page");
    button.title = button.getAttribute("aria-label");
  };
  whep.addEventListener("sections", () => receiver.settled());
  sound.addEventListener("change", paintSound);
  button.addEventListener("click", () => sound.setMuted(!sound.silent));
  store.addEventListener("change", ({ detail }) => { if (["stage", "session", "me"].includes(detail.what)) paint(); });
  source.addEventListener("tracks", paint);
  source.addEventListener("ready", paint);
  paintSound();
  paint();
  return { whep, receiver, view };
}

// Keeps the snapshots made on the weekdays that the setting `weekdays` names (1 is Monday), and those of the last
// `days` days, whatever their weekday.

export const retain = {
  retain(settings, now, snapshots) {
    let weekdays = [7];
    let days = 7;
    for (const [name, value] of settings) {
      if (name === "weekdays" && /^[1-7](,[1-7])*$/.test(value)) weekdays = value.split(",").map(Number);
      else if (name === "days" && /^\d+$/.test(value)) days = Number(value);
      // An error keeps everything and is shown to whoever runs the policy. A slip of the pen must not pass.
      else throw `setting ${name}=${value} makes no sense: weekdays must be like 1,5 (1 is Monday), days a number`;
    }
    return snapshots.map(({ at }, i) => {
      const age = now.dayNumber - at.dayNumber;
      if (i === snapshots.length - 1) return { keep: true, reason: "newest" };
      if (age < days) return { keep: true, reason: `one of the last ${days} days` };
      if (weekdays.includes(at.weekday)) return { keep: true, reason: `made on day ${at.weekday} of the week` };
      return { keep: false, reason: "older, and made on another day" };
    });
  },
};

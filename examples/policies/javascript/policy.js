// Keeps the snapshots made on the weekdays that the setting `weekdays` names (1 is Monday), and those of the last
// `days` days, whatever their weekday.

export const retain = {
  retain(settings, now, snapshots) {
    const setting = (name, otherwise) => (settings.find(([n]) => n === name) ?? [name, otherwise])[1];
    const weekdays = setting("weekdays", "7").split(",").map(Number);
    const days = Number(setting("days", "7"));
    if (!(days >= 0) || weekdays.some((day) => !(day >= 1 && day <= 7))) {
      // An error keeps everything and is shown to whoever runs the policy.
      throw "weekdays must be like 1,5 (1 is Monday, 7 is Sunday), days a number";
    }
    return snapshots.map(({ at }, i) => {
      const age = now.dayNumber - at.dayNumber;
      if (i === snapshots.length - 1) return { keep: true, reason: "newest" };
      if (age <= days) return { keep: true, reason: `within ${days} days` };
      if (weekdays.includes(at.weekday)) return { keep: true, reason: `made on day ${at.weekday} of the week` };
      return { keep: false, reason: "older, and made on another day" };
    });
  },
};

// What a browser makes of the pages in its frames; the test reads it from the document afterwards.
window.onload = () => {
  const seen = [...document.querySelectorAll("iframe")].map((frame) => {
    const page = frame.contentDocument, window = frame.contentWindow;
    const all = (selector) => [...page.querySelectorAll(selector)];
    const style = (element) => window.getComputedStyle(element);
    const texts = all("h1, h2, h3, p, li, dt, dd, th, td, caption, span, time, code").filter((e) => e.checkVisibility());
    window.focus();
    const stops = all("a, summary, [tabindex]").filter((e) => e.checkVisibility());
    const unmarked = stops.filter((e) => {
      e.focus();
      return page.activeElement !== e || style(e).outlineStyle === "none" || parseFloat(style(e).outlineWidth) < 2;
    });
    const outside = (e) => {
      const box = e.getBoundingClientRect();
      return !e.closest(".scroll, .skip") && (box.right > frame.clientWidth + 1 || box.left < -1);
    };
    return {
      title: page.title,
      width: frame.clientWidth,
      scrollWidth: page.documentElement.scrollWidth,
      foreign: all("script, img, iframe, object, embed, link, form, input, base, video, audio, image, use").length,
      handlers: all("*").filter((e) => [...e.attributes].some((a) => a.name.startsWith("on"))).length,
      taken: window.taken === undefined && parent.taken === undefined ? "no" : "yes",
      requests: window.performance.getEntriesByType("resource").length,
      outside: texts.filter(outside).map((e) => e.outerHTML.slice(0, 200)),
      small: texts.filter((e) => parseFloat(style(e).fontSize) < 11.9).length,
      headings: all("h1, h2, h3").map((e) => e.tagName).join(" "),
      captionless: all("table").filter((e) => !e.caption || !e.caption.textContent).length,
      nameless: all("svg[role=img]").filter((e) => !e.querySelector("title").textContent).length,
      drawn: all("svg.bars path:not(.grid)").length,
      stops: stops.length,
      unmarked: unmarked.map((e) => e.outerHTML.slice(0, 200)),
      background: style(page.body).backgroundColor,
      tables: all("#tables tbody tr").map((e) => e.querySelector("bdi, i").textContent),
      status: page.querySelector("#findings-title").textContent,
    };
  });
  document.getElementById("seen").textContent = JSON.stringify(seen);
};

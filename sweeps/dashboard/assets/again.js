// Loads the page that refuses a browser once more: a browser that follows a link from another site leaves the cookie of
// the dashboard out, and sends it when the page itself asks. This file is given without the cookie.
const [arrival] = performance.getEntriesByType("navigation");
if (arrival && arrival.type !== "reload") {
  location.reload();
} else {
  document.querySelector("main").hidden = false;
}

// The service worker of notifications: shows what was sent to this browser, and opens its page at a tap. It keeps nothing.

self.addEventListener("push", (event) => {
  const said = event.data.json();
  event.waitUntil(self.registration.showNotification(said.title, { body: said.body, tag: said.tag, data: { url: said.url } }));
});

self.addEventListener("notificationclick", (event) => {
  event.notification.close();
  const { url } = event.notification.data;
  if (url) event.waitUntil(self.clients.openWindow(url));
});

{% load static %}// Shows what is pushed to this browser, and opens the conversation when it's clicked.
"use strict";

const HOME = "{% url 'admin:index' %}";

self.addEventListener("install", () => self.skipWaiting());
self.addEventListener("activate", (event) => event.waitUntil(self.clients.claim()));

self.addEventListener("push", (event) => {
    const { title, text, path, tag } = event.data.json();
    event.waitUntil(self.registration.showNotification(title, {
        body: text,
        tag,
        renotify: true,
        icon: "{% static 'notifications/icon-192.png' %}",
        badge: "{% static 'notifications/badge.png' %}",
        data: { path },
    }));
});

self.addEventListener("notificationclick", (event) => {
    event.notification.close();
    const url = new URL(event.notification.data?.path || HOME, self.location.origin).href;
    event.waitUntil((async () => {
        const pages = await self.clients.matchAll({ type: "window", includeUncontrolled: true });
        const open = pages.find((page) => page.url === url) ?? pages.find((page) => page.url.startsWith(self.location.origin + HOME));
        if (!open) return self.clients.openWindow(url);
        await open.focus();
        return open.url === url ? undefined : open.navigate(url).catch(() => self.clients.openWindow(url));
    })());
});

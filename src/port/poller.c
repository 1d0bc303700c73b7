#include "port/poller.h"

#include <errno.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/assert.h"
#include "port/port.h"
#include "port/sys.h"

enum { EVENTS_MAX = 128 };

int leat__poller_open(struct leat__poller *ret_poller)
{
	struct epoll_event event = { .events = EPOLLIN | EPOLLET };
	int64_t fd = LEAT__SYS(epoll_create1(EPOLL_CLOEXEC));
	int64_t wake_fd, r;

	if (fd < 0)
		return (int)fd;
	wake_fd = LEAT__SYS(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
	if (wake_fd < 0) {
		close((int)fd);
		return (int)wake_fd;
	}
	r = LEAT__SYS(epoll_ctl((int)fd, EPOLL_CTL_ADD, (int)wake_fd, &event));
	if (r < 0) {
		close((int)wake_fd);
		close((int)fd);
		return (int)r;
	}
	ret_poller->fd = (int)fd;
	ret_poller->wake_fd = (int)wake_fd;
	return 0;
}

void leat__poller_close(struct leat__poller *poller)
{
	close(poller->wake_fd);
	close(poller->fd);
}

int leat__poller_add(struct leat__poller *poller, int fd, void *data)
{
	struct epoll_event event = {
		.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLPRI | EPOLLET,
		.data.ptr = data,
	};

	return (int)LEAT__SYS(epoll_ctl(poller->fd, EPOLL_CTL_ADD, fd, &event));
}

void leat__poller_remove(struct leat__poller *poller, int fd)
{
	struct epoll_event none = { 0 };

	epoll_ctl(poller->fd, EPOLL_CTL_DEL, fd, &none);
}

static uint32_t what_of(uint32_t events)
{
	uint32_t what = 0;

	if (events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR | EPOLLPRI))
		what |= LEAT__READABLE;
	if (events & (EPOLLOUT | EPOLLHUP | EPOLLERR))
		what |= LEAT__WRITABLE;
	if (events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR | EPOLLPRI))
		what |= LEAT__MORE_BEHIND;
	return what;
}

/* epoll_pwait2 knows nanoseconds (Linux 5.11); before it, whole milliseconds, rounded up. */
static int64_t wait_for(int fd, struct epoll_event *events, int n, int64_t deadline)
{
	static bool has_pwait2 = true;
	struct timespec ts = { 0 };
	int64_t left = 0, r;

	if (deadline == 0)
		return epoll_wait(fd, events, n, 0);
	if (deadline == INT64_MAX)
		return epoll_wait(fd, events, n, -1);
	left = deadline - leat__clock();
	left = left > 0 ? left : 0;
	if (leat__load_relaxed(&has_pwait2)) {
		ts.tv_sec = left / 1000000000;
		ts.tv_nsec = left % 1000000000;
		r = syscall(SYS_epoll_pwait2, fd, events, n, &ts, NULL, 0);
		if (r >= 0 || errno != ENOSYS)
			return r;
		leat__store_relaxed(&has_pwait2, false);
	}
	left = (left + 999999) / 1000000;
	return epoll_wait(fd, events, n, left < 60000 ? (int)left : 60000);
}

int leat__poller_wait(struct leat__poller *poller, struct leat__event *events, int n,
		      int64_t deadline)
{
	struct epoll_event raw[EVENTS_MAX];
	int64_t got = wait_for(poller->fd, raw, n < EVENTS_MAX ? n : EVENTS_MAX, deadline);
	int filled = 0;

	for (int64_t i = 0; i < got; i++) {
		if (!raw[i].data.ptr)
			continue; /* the wake-up; edge-triggered, so nobody need read it */
		events[filled].data = raw[i].data.ptr;
		events[filled++].what = what_of(raw[i].events);
	}
	return filled;
}

void leat__poller_wake(struct leat__poller *poller)
{
	uint64_t one = 1;

	if (write(poller->wake_fd, &one, sizeof(one)) < 0 && errno != EAGAIN)
		leat__fatal("cannot wake the poller");
}

uint32_t leat__poll_now(int fd, uint32_t what)
{
	struct pollfd p = { .fd = fd };
	uint32_t now = 0;

	p.events = (short)((what & LEAT__READABLE ? POLLIN | POLLRDHUP : 0) |
			   (what & LEAT__WRITABLE ? POLLOUT : 0));
	if (poll(&p, 1, 0) <= 0)
		return 0;
	if (p.revents & (POLLIN | POLLRDHUP | POLLHUP | POLLERR | POLLNVAL))
		now |= LEAT__READABLE;
	if (p.revents & (POLLOUT | POLLHUP | POLLERR | POLLNVAL))
		now |= LEAT__WRITABLE;
	return now & what;
}

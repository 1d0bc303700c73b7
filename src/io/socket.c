/* Sockets: making them, listening, their options and addresses. */
#include "io/socket.h"

#include "io/sim_net.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "port/sys.h"

enum { BACKLOG_MAX = 65535 };	/* the kernel's own limit is less */
#define PAUSE_MIN INT64_C(1000000)
#define PAUSE_MAX INT64_C(100000000)

const leat_socket_options *leat__socket_options(const leat_socket_options *options,
						const char *function)
{
	static const leat_socket_options none = { .size = sizeof(none) };

	leat__check_fork(function, NULL);
	if (!options)
		return &none;
	if (leat__unlikely(options->size != sizeof(*options)))
		leat__misuse_at(function, options,
				"options.size is %zu; use LEAT_SOCKET_OPTIONS(...)", options->size);
	return options;
}

int64_t leat__socket_pause(int64_t pause)
{
	if (pause == 0)
		return PAUSE_MIN;
	return 2 * pause < PAUSE_MAX ? 2 * pause : PAUSE_MAX;
}

static int set_int(int fd, int level, int name, int value)
{
	return (int)LEAT__SYS(setsockopt(fd, level, name, &value, sizeof(value)));
}

static int set_options(int fd, int family, int type, const leat_socket_options *options)
{
	bool tcp = family != AF_UNIX && type == SOCK_STREAM;
	int r = 0;

	/* Always, as the system's default differs from machine to machine. */
	if (family == AF_INET6)
		r = set_int(fd, IPPROTO_IPV6, IPV6_V6ONLY, options->v6_only);
	if (r == 0 && options->reuse_port)
		r = set_int(fd, SOL_SOCKET, SO_REUSEPORT, 1);
	if (r == 0 && tcp && options->no_delay)
		r = set_int(fd, IPPROTO_TCP, TCP_NODELAY, 1);
	if (r == 0 && tcp && options->keep_alive)
		r = set_int(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
	return r;
}

int leat__socket_open(const leat_addr *addr, int type, const leat_socket_options *options)
{
	int family = addr->_storage.ss_family, r;
	int64_t fd = LEAT__SYS(socket(family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));

	if (fd < 0)
		return (int)fd;
	r = set_options((int)fd, family, type, options);
	if (r == 0)
		return (int)fd;
	close((int)fd);
	return r;
}

/* Removes the socket at addr's path if nobody listens there. */
static void remove_stale(int type, const leat_addr *addr)
{
	const char *path = ((const struct sockaddr_un *)&addr->_storage)->sun_path;
	struct stat st;
	int64_t fd, r;

	if (addr->_storage.ss_family != AF_UNIX || path[0] == '\0')
		return;
	if (LEAT__SYS(lstat(path, &st)) < 0 || !S_ISSOCK(st.st_mode))
		return;
	fd = LEAT__SYS(socket(AF_UNIX, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
	if (fd < 0)
		return;
	r = LEAT__SYS(connect((int)fd, (const struct sockaddr *)&addr->_storage, addr->_size));
	close((int)fd);
	if (r == -ECONNREFUSED)
		unlink(path);
}

int leat__socket_bind(int fd, int type, const leat_addr *addr, const leat_socket_options *options)
{
	if (options->replace_path)
		remove_stale(type, addr);
	return (int)LEAT__SYS(bind(fd, (const struct sockaddr *)&addr->_storage, addr->_size));
}

int leat_listen(leat_io *ret_io, const leat_addr *addr, const leat_socket_options *options)
{
	int backlog, fd, r = 0;

	options = leat__socket_options(options, __func__);
	leat__require(ret_io);
	leat__require(addr);
	if (leat__sim_io())
		return leat__sim_listen(ret_io, addr, options);
	backlog = options->backlog > 0 ? options->backlog : BACKLOG_MAX;
	fd = leat__socket_open(addr, SOCK_STREAM, options);
	if (fd < 0)
		return fd;
	/* Without it a server that starts again waits for its old connections to be forgotten. */
	if (addr->_storage.ss_family != AF_UNIX)
		r = set_int(fd, SOL_SOCKET, SO_REUSEADDR, 1);
	if (r == 0)
		r = leat__socket_bind(fd, SOCK_STREAM, addr, options);
	if (r == 0)
		r = (int)LEAT__SYS(listen(fd, backlog));
	if (r == 0)
		r = leat__io_adopt(ret_io, fd, 0,
				   leat__socket_ops_of(addr->_storage.ss_family, SOCK_STREAM),
				   LEAT__READABLE);
	if (r < 0)
		close(fd);
	return r;
}

int leat_socketpair(leat_io ret_io[2], int type)
{
	const struct leat__io_ops *ops = &leat__message_ops;
	int fd[2], r;
	leat_io first;

	leat__check_fork(__func__, NULL);
	leat__require(ret_io);
	if (leat__sim_io())
		return type == SOCK_STREAM ? leat__sim_stream_pair(ret_io)
					   : leat__sim_message_pair(ret_io, type);
	r = (int)LEAT__SYS(socketpair(AF_UNIX, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fd));
	if (r < 0)
		return r;
	r = leat__io_adopt(&first, fd[0], 0, ops, LEAT__WRITABLE);
	if (r < 0) {
		close(fd[0]);
		close(fd[1]);
		return r;
	}
	r = leat__io_adopt(&ret_io[1], fd[1], 0, ops, LEAT__WRITABLE);
	if (r < 0) {
		close(fd[1]);
		leat_io_close(first);
		return r;
	}
	ret_io[0] = first;
	return 0;
}

/*
 * One call of the kernel on io's descriptor, or what a simulated socket says instead; the five
 * that follow differ in it.
 */
#define ON_FD(io, call, simulated)                                   \
	({                                                \
		struct leat__io *held = leat__io_hold(io); \
		int result = LEAT_ECLOSED;                \
							  \
		leat__check_fork(__func__, NULL);         \
		if (held) {                               \
			int fd = held->fd;                \
							  \
			if (leat__sim_is_socket(held))    \
				result = (simulated);     \
			else                              \
				result = (int)LEAT__SYS(call); \
			leat__io_release(held);           \
		}                                         \
		result;                                   \
	})

int leat_shutdown(leat_io io, unsigned how)
{
	static const int to_kernel[] = {
		[LEAT_READABLE] = SHUT_RD,
		[LEAT_WRITABLE] = SHUT_WR,
		[LEAT_READABLE | LEAT_WRITABLE] = SHUT_RDWR,
	};

	if (leat__unlikely(how == 0 || how > (LEAT_READABLE | LEAT_WRITABLE)))
		leat__misuse(NULL, "how is %u; give LEAT_READABLE, LEAT_WRITABLE or both", how);
	return ON_FD(io, shutdown(fd, to_kernel[how]), leat__sim_shutdown(held, how));
}

int leat_local_addr(leat_io io, leat_addr *ret_addr)
{
	leat_addr addr = { ._size = sizeof(addr._storage) };
	int r;

	leat__require(ret_addr);
	r = ON_FD(io, getsockname(fd, (struct sockaddr *)&addr._storage, &addr._size),
		      leat__sim_local_addr(held, &addr));
	if (r == 0)
		*ret_addr = addr;
	return r;
}

int leat_peer_addr(leat_io io, leat_addr *ret_addr)
{
	leat_addr addr = { ._size = sizeof(addr._storage) };
	int r;

	leat__require(ret_addr);
	r = ON_FD(io, getpeername(fd, (struct sockaddr *)&addr._storage, &addr._size),
		      leat__sim_peer_addr(held, &addr));
	if (r == 0)
		*ret_addr = addr;
	return r;
}

int leat_sockopt_set(leat_io io, int level, int name, const void *value, socklen_t size)
{
	return ON_FD(io, setsockopt(fd, level, name, value, size), 0);
}

int leat_sockopt_get(leat_io io, int level, int name, void *ret_value, socklen_t *size)
{
	return ON_FD(io, getsockopt(fd, level, name, ret_value, size), -ENOPROTOOPT);
}

/*
 * NULL where it is not allowed, options without a size, flags that do not exist: each stops the
 * program with the names of the function and of the argument.
 */
#include "io.h"

#define DIES(name, expected, ...)       \
	TEST_DEATH_TASK(name, expected) \
	{                               \
		(void)!(__VA_ARGS__);   \
	}

#define TRUE_OPTIONS(...) \
	LEAT_PROCESS_OPTIONS(.argv = (const char *const[]){ "/bin/true", NULL }, __VA_ARGS__)

/* Not constants: a compiler that knows what they are may warn, or drop the check. */
static leat_io *volatile no_io;
static leat_addr *volatile no_addr;
static leat_addr addr;
static leat_io io;
static char *volatile no_text;
static leat_reader *reader;
static leat_writer *writer;
static leat_process *process;
static leat_signals *signals;
static leat_output output;
static leat_dir *dir;

static leat_io memory(void)
{
	REQUIRE(leat_io_memory(&io, "a", 1, 0) == 0);
	return io;
}

static leat_reader *a_reader(void)
{
	REQUIRE(leat_reader_create(&reader, memory(), NULL) == 0);
	return reader;
}

static leat_writer *a_writer(void)
{
	REQUIRE(leat_writer_create(&writer, memory(), NULL) == 0);
	return writer;
}

static leat_dir *a_dir(void)
{
	REQUIRE(leat_dir_open(&dir, "/", LEAT_FOREVER) == 0);
	return dir;
}

DIES(adopt, "leat_io_adopt((nil)): ret_io is NULL", leat_io_adopt(no_io, 0, LEAT_IO_INHERITED))
DIES(adopt_flags, "leat_io_adopt((nil)): flags is 77", leat_io_adopt(&io, 0, 77))
DIES(readv, "leat_readv((nil)): iov is NULL", leat_readv(memory(), NULL, 1, LEAT_FOREVER))
DIES(writev, "leat_writev((nil)): iov is NULL", leat_writev(memory(), NULL, 1, LEAT_FOREVER))

DIES(parse, "leat_addr_parse((nil)): ret_addr is NULL", leat_addr_parse(no_addr, "1.2.3.4:5"))
DIES(parse_text, "leat_addr_parse((nil)): text is NULL", leat_addr_parse(&addr, no_text))
DIES(format, "leat_addr_format((nil)): addr is NULL", leat_addr_format(no_addr, (char[9]){ 0 }, 9))
DIES(format_text, "leat_addr_format((nil)): text is NULL", leat_addr_format(&addr, no_text, 9))
DIES(set, "leat_addr_set((nil)): sockaddr is NULL", leat_addr_set(&addr, NULL, 16))
DIES(port, "leat_addr_port((nil)): addr is NULL", leat_addr_port(no_addr))
DIES(set_port, "leat_addr_set_port((nil)): addr is NULL", leat_addr_set_port(no_addr, 1))
DIES(listen_io, "leat_listen((nil)): ret_io is NULL", leat_listen(no_io, &addr, NULL))
DIES(listen_addr, "leat_listen((nil)): addr is NULL", leat_listen(&io, no_addr, NULL))
DIES(accept_io, "leat_accept((nil)): ret_io is NULL", leat_accept(memory(), no_io, NULL, 1))
DIES(connect_io, "leat_connect((nil)): ret_io is NULL", leat_connect(no_io, &addr, NULL, 1))
DIES(connect_addr, "leat_connect((nil)): addr is NULL", leat_connect(&io, no_addr, NULL, 1))
DIES(local, "leat_local_addr((nil)): ret_addr is NULL", leat_local_addr(memory(), no_addr))
DIES(peer, "leat_peer_addr((nil)): ret_addr is NULL", leat_peer_addr(memory(), no_addr))
DIES(socketpair_io, "leat_socketpair((nil)): ret_io is NULL", leat_socketpair(no_io, SOCK_STREAM))

DIES(open_io, "leat_open((nil)): ret_io is NULL", leat_open(no_io, "/", 0, 0, LEAT_FOREVER))
DIES(dir_open, "leat_dir_open((nil)): ret_dir is NULL", leat_dir_open(NULL, "/", LEAT_FOREVER))
DIES(dir_next, "leat_dir_next((nil)): ret_entry is NULL",
     leat_dir_next(a_dir(), NULL, LEAT_FOREVER))

DIES(memory_io, "leat_io_memory((nil)): ret_io is NULL", leat_io_memory(no_io, "a", 1, 0))
DIES(memory_bytes, "leat_io_memory((nil)): bytes is NULL", leat_io_memory(&io, no_text, 1, 0))
DIES(reader_ret, "leat_reader_create((nil)): ret_reader is NULL",
     leat_reader_create(NULL, memory(), NULL))
DIES(reader_size, "use LEAT_STREAM_OPTIONS(...)",
     leat_reader_create(&reader, memory(), &(leat_stream_options){ .limit = 9 }))
DIES(until, "leat_reader_until((nil)): reader is NULL",
     leat_reader_until(NULL, 'a', &(const char *){ NULL }, &(size_t){ 0 }, 1))
DIES(line, "leat_reader_line((nil)): reader is NULL",
     leat_reader_line(NULL, &(const char *){ NULL }, &(size_t){ 0 }, 1))
DIES(line_n, "leat_reader_line((nil)): ret_n is NULL",
     leat_reader_line(a_reader(), &(const char *){ NULL }, NULL, 1))
DIES(reader_read, "leat_reader_read((nil)): reader is NULL",
     leat_reader_read(NULL, (char[1]){ 0 }, 1, 1))
DIES(writer_ret, "leat_writer_create((nil)): ret_writer is NULL",
     leat_writer_create(NULL, memory(), NULL))
DIES(writer_size, "use LEAT_STREAM_OPTIONS(...)",
     leat_writer_create(&writer, memory(), &(leat_stream_options){ .buffer = 9 }))
DIES(writer_null, "leat_writer_write((nil)): writer is NULL",
     leat_writer_write(NULL, "a", 1, 1, NULL))
DIES(writer_bytes, "leat_writer_write((nil)): bytes is NULL",
     leat_writer_write(a_writer(), no_text, 1, 1, NULL))
DIES(flush, "leat_writer_flush((nil)): writer is NULL", leat_writer_flush(NULL, 1))

DIES(start_ret, "leat_process_start((nil)): ret_process is NULL",
     leat_process_start(NULL, TRUE_OPTIONS()))
DIES(start_options, "leat_process_start((nil)): options is NULL",
     leat_process_start(&process, NULL))
DIES(start_size, "use LEAT_PROCESS_OPTIONS(...)",
     leat_process_start(&process, &(leat_process_options){ .file = "/bin/true" }))
DIES(start_fds, "nfds is 2, nlimits 0", leat_process_start(&process, TRUE_OPTIONS(.nfds = 2)))
DIES(start_limits, "nfds is 0, nlimits 1", leat_process_start(&process, TRUE_OPTIONS(.nlimits = 1)))
DIES(wait, "leat_process_wait((nil)): process is NULL", leat_process_wait(NULL, NULL, 1))
DIES(kill, "leat_process_kill((nil)): process is NULL", leat_process_kill(NULL, 9))
DIES(kill_group, "leat_process_kill_group((nil)): process is NULL",
     leat_process_kill_group(NULL, 9))
DIES(pid, "leat_process_pid((nil)): process is NULL", leat_process_pid(NULL))
DIES(process_stdin, "leat_process_stdin((nil)): process is NULL",
     leat_io_is_none(leat_process_stdin(NULL)))
DIES(output_ret, "leat_process_output((nil)): ret_output is NULL",
     leat_process_output(NULL, TRUE_OPTIONS(), NULL, 0, 0, 1))
DIES(output_options, "leat_process_output((nil)): options is NULL",
     leat_process_output(&output, NULL, NULL, 0, 0, 1))
DIES(output_input, "leat_process_output((nil)): input is NULL",
     leat_process_output(&output, TRUE_OPTIONS(), no_text, 1, 0, 1))
DIES(output_size, "use LEAT_PROCESS_OPTIONS(...)",
     leat_process_output(&output, &(leat_process_options){ .file = "/bin/true" }, NULL, 0, 0, 1))
DIES(output_release, "leat_output_release((nil)): output is NULL", (leat_output_release(NULL), 0))

DIES(signals_ret, "leat_signals_open((nil)): ret_signals is NULL",
     leat_signals_open(NULL, (const int[]){ 1 }, 1))
DIES(signals_numbers, "leat_signals_open((nil)): numbers is NULL",
     leat_signals_open(&signals, NULL, 1))
DIES(signals_channel, "leat_signals_channel((nil)): signals is NULL",
     !leat_signals_channel(NULL))
DIES(stats, "leat_stats_get((nil)): stats is NULL", leat_stats_get(NULL))

TEST_DEATH(resolve_outside, "leat_resolve((nil)): no runtime runs")
{
	(void)!leat_resolve("localhost", NULL, &addr, 1, LEAT_FOREVER);
}

TEST_DEATH(sim_run, "leat_sim_run((nil)): fn is NULL")
{
	(void)!leat_sim_run(NULL, NULL, NULL, 1, 1, NULL);
}

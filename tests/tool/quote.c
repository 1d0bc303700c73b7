/* Tests of tool/quote.h: sh gives back what was quoted. */
#include "test.h"

#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "quote.h"

/* What sh prints for this script; for free(3). */
static char *run_sh(const char *script, size_t *ret_n)
{
	struct text out = { 0 };
	char buffer[4096];
	int pipes[2], status;
	ssize_t n;
	pid_t pid;

	REQUIRE(pipe(pipes) == 0);
	pid = fork();
	REQUIRE(pid >= 0);
	if (pid == 0) {
		dup2(pipes[1], STDOUT_FILENO);
		close(pipes[0]);
		execl("/bin/sh", "sh", "-c", script, (char *)NULL);
		_exit(127);
	}
	close(pipes[1]);
	while ((n = read(pipes[0], buffer, sizeof(buffer))) > 0)
		text_add(&out, buffer, (size_t)n);
	close(pipes[0]);
	REQUIRE(waitpid(pid, &status, 0) == pid);
	CHECK_EQ(status, 0);
	*ret_n = out.n;
	return text_take(&out);
}

/* Each argument, and a 0 behind it, comes back from a command that prints its arguments. */
static void check_survives(const char *const *args)
{
	const char *command[64] = { "printf", "%s\\0" };
	struct text expected = { 0 };
	size_t n, i;
	char *script, *out;

	for (i = 0; args[i]; i++) {
		command[i + 2] = args[i];
		text_add(&expected, args[i], strlen(args[i]) + 1);
	}
	command[i + 2] = NULL;
	script = quote_command(command);
	REQUIRE(script);
	out = run_sh(script, &n);
	REQUIRE(out);
	if (n != expected.n || memcmp(out, expected.bytes, n) != 0)
		test_fail(__FILE__, __LINE__, "not the same: %s", script);
	free(script);
	free(out);
	text_release(&expected);
}

TEST_PLAIN(all_bytes)
{
	char bytes[256], doubled[3] = "";

	for (int c = 1; c < 256; c++)
		bytes[c - 1] = (char)c;
	bytes[255] = '\0';
	check_survives((const char *const[]){ bytes, bytes + 128, "", bytes + 30, NULL });
	for (int c = 1; c < 256; c++) {
		doubled[0] = doubled[1] = (char)c;
		check_survives((const char *const[]){ doubled + 1, doubled, NULL });
	}
}

TEST_PLAIN(words)
{
	check_survives((const char *const[]){
		"it's", "''", "'", "\\'", "a\nb", "\n", " ", "~", "$(x)", "`x`", "$HOME", "-n",
		"--a=b", "a=b", "*", "!x", "#x", "{a,b}", NULL });
}

static uint64_t random_state;

static uint64_t seed(void)
{
	return random_state;
}

/* splitmix64 */
static uint64_t next(uint64_t *state)
{
	uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return z ^ z >> 31;
}

/* Of the bytes that mean something to a shell, or of all. */
static void random_word(uint64_t *state, char *word, size_t room)
{
	static const char special[] = "'\\\"`$ \n\t#~*?[]{}()<>|&;!=%-+a1";
	size_t n = next(state) % room;
	bool any = next(state) % 4 == 0;

	for (size_t i = 0; i < n; i++)
		word[i] = (char)(any ? next(state) % 255 + 1 :
				       (uint64_t)special[next(state) % (sizeof(special) - 1)]);
	word[n] = '\0';
}

TEST_PLAIN(random_words)
{
	int rounds = test_full() ? 5000 : test_slow() ? 30 : 300;
	const char *given = getenv("LEAT_TEST_SEED");
	uint64_t first = given ? strtoull(given, NULL, 10) : (uint64_t)time(NULL);

	test_seed = seed;
	test_timeout(120);
	for (int round = 0; round < rounds && !test_failed(); round++) {
		char words[50][12];
		const char *args[51] = { NULL };
		uint64_t state = random_state = first + (uint64_t)round;

		for (size_t i = 0; i < 50; i++) {
			random_word(&state, words[i], sizeof(words[i]));
			args[i] = words[i];
		}
		check_survives(args);
	}
}

static void check_quoted(const char *word, const char *expected)
{
	struct text text = { 0 };
	char *bytes;

	quote_word(&text, word, strlen(word));
	bytes = text_take(&text);
	CHECK_STR(bytes, expected);
	free(bytes);
}

/* What needs no quotes has none; what would mean something else somewhere has. */
TEST_PLAIN(plain_words)
{
	check_quoted("a.tar.gz", "a.tar.gz");
	check_quoted("/usr/bin/X_1-2:3@4%5+6", "/usr/bin/X_1-2:3@4%5+6");
	check_quoted("--size=1", "--size=1");
	check_quoted("", "''");
	check_quoted("PATH=/x", "'PATH=/x'");
	check_quoted("done", "'done'");
	check_quoted("done.txt", "done.txt");
	check_quoted("a,b", "'a,b'");
	check_quoted("it's", "'it'\\''s'");
	check_quoted("\303\251", "'\303\251'");
}

/* Where a command may begin, each is a command of that name, which there is not. */
TEST_PLAIN(no_word_is_the_shells)
{
	static const char *const words[] = { "if",   "then", "else", "elif", "fi",   "do",
					     "done", "case", "esac", "while", "until", "for",
					     "in",   "{",    "}",    "!",     "time", "function",
					     "[[",   "select" };
	char *out;
	size_t n;

	for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++) {
		struct text script = { 0 };
		char *line;

		text_add_string(&script, "PATH=/nonexistent; ");
		quote_word(&script, words[i], strlen(words[i]));
		text_add_string(&script, " 2>/dev/null; echo $?");
		line = text_take(&script);
		out = run_sh(line, &n);
		CHECK_STR(out, "127\n");
		free(line);
		free(out);
	}
}

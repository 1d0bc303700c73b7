/*
 * Tests of tool/shell.h: where a quoted word may stand.  Scripts are run by sh with a word that
 * says more than it should: where a place is taken, nothing of it may be run.
 */
#include "test.h"

#include <fcntl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "quote.h"
#include "shell.h"

/* "@" is the place. */
static const char *refusal(const char *script)
{
	struct shell shell = { .depth = 0 };

	for (const char *s = script; *s; s++) {
		const char *why = *s == '@' ? shell_refuses(&shell) : NULL;

		if (why)
			return why;
		shell_follow(&shell, *s == '@' ? 'x' : *s);
	}
	return NULL;
}

TEST_PLAIN(taken)
{
	static const char *const scripts[] = {
		"@", "echo @", "a@b", "'x'@\"y\"", "x=@; echo \"$x\"", "\"$(echo @)\"",
		"$(echo \"$(cat @)\" @) @", "a;@",
		"(@)", "{ @; }", "echo $x@", "echo $$@",
		"echo '$'@",
		"echo \"\\\"\" @", "echo \\\\@", "echo \\' @", "# it's\n@", "a#b@",
		"''#@", "$(x)#@",
		"${x}#@", "`x`#@", "echo $# @", "case @ in @) @;; esac", "for x in @; do :; done",
		"$((1+2)) @", "$((1<<2))\n@", "$(( (1+2)*3 )) @", "((1)) @", "${x:-$(echo @)}",
		"echo ${x#a} @", "cat <x\n@", "echo a\\\nb @", "$( (a) | b @)", "$(# ) '\n@)",
		"\"'\"@", "'\"'@", "echo `a \\` b` @", "\"`a`\"@",
	};

	for (size_t i = 0; i < sizeof(scripts) / sizeof(*scripts); i++)
		if (refusal(scripts[i]))
			test_fail(__FILE__, __LINE__, "%s: %s", scripts[i], refusal(scripts[i]));
}

TEST_PLAIN(refused)
{
	static const struct {
		const char *script, *says;
	} scripts[] = {
		{ "'@'", "in quotes" },
		{ "\"@\"", "in quotes" },
		{ "\"a\\\"@", "in quotes" },
		{ "'\\'\"@", "in quotes" },
		{ "\"$(x)@\"", "in quotes" },
		{ "\"${x}@\"", "in quotes" },
		{ "\"$(\"a\")@\"", "in quotes" },
		{ "\"$\\\n(x \" @ \")\"", "in quotes" },
		{ "$(x)#\"\n@\"", "in quotes" },
		{ "${x}#\"\n@\"", "in quotes" },
		{ "sh -c 'echo @'", "sh -c 'echo \"$1\"' sh {}" },
		{ "`@`", "use $(...)" },
		{ "\"`@`\"", "use $(...)" },
		{ "`a \\` @`", "use $(...)" },
		{ "# @", "comment" },
		{ "a;#@", "comment" },
		{ "$(#@", "comment" },
		{ "a # b\\\n@", NULL },
		{ "${x:-@}", "${...}" },
		{ "\"${x:-@}\"", "${...}" },
		{ "${x:-${y}@}", "${...}" },
		{ "$((@))", "((...))" },
		{ "$((1+(2)+@))", "((...))" },
		{ "((@))", "((...))" },
		{ "\\@", "backslash" },
		{ "\"\"\\@", "backslash" },
		{ "$@", "behind a $" },
		{ "$$$@", "behind a $" },
		{ "$'a' @", "$'...'" },
		{ "$((1) @", "without ))" },
		{ "((1)@", "((...))" },
		{ "$[1] @", "$[...]" },
		{ "${x:-'}'} @", "${...}" },
		{ "$((\"1\")) @", "((...))" },
		{ "cat <<E\n@\nE", "<<" },
		{ "<<E`;'`@", "<<" },
		{ "cat <<A <<B\n@", "<<" },
		{ "cat <<E;\nE\n@", "x={}" },
		{ "\"$(case x in x) echo \"@\";; esac)\"", "case" },
		{ "$(\ncase x in x) @;; esac)", "case" },
	};

	for (size_t i = 0; i < sizeof(scripts) / sizeof(*scripts); i++) {
		const char *why = refusal(scripts[i].script), *says = scripts[i].says;

		if (says ? !why || !strstr(why, says) : !!why)
			test_fail(__FILE__, __LINE__, "%s: %s", scripts[i].script,
				  why ? why : "(taken)");
	}
}

TEST_PLAIN(nesting_has_an_end)
{
	char script[300];

	memset(script, '(', sizeof(script));
	for (size_t i = 1; i < sizeof(script); i += 2)
		script[i] = ' ';
	for (size_t n = 1; n < sizeof(script) / 2; n++) {
		strcpy(script + 2 * n, "@");
		CHECK_EQ(refusal(script) && strstr(refusal(script), "nesting"), n >= SHELL_DEPTH);
		script[2 * n] = '(';
		script[2 * n + 1] = ' ';
	}
}

/*
 * Random scripts.
 */

static uint64_t random_state;

static uint64_t seed(void)
{
	return random_state;
}

/* splitmix64 */
static size_t below(uint64_t *state, size_t n)
{
	uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return (z ^ z >> 31) % n;
}

/* Of these pieces scripts are made; half of what comes out is no script, which does no harm. */
static const char *const pieces[] = {
	"@", "@", "@", "@", "'", "'", "\"", "\"", "\"", "$(", "$(", ")", ")", "`", "${x", "}",
	"$((", "))", "((", "\\", "\n", "\n", " ", " ", " ", "#", " #", "$", "$'", "<<E", "\nE\n",
	"case x in ", "x)", ";;", " esac ", ":", "echo ", "a", "x=", ";", "&&", "|", "(", "$$",
	"${x:-", "$[", "]", "<", ">/dev/null", "{ ", "; }", "if :; then ", " fi ", "1", "!", "~",
};

static void random_script(uint64_t *state, char *script, size_t room)
{
	size_t n = 2 + below(state, 14), used = 0;

	while (n-- > 0) {
		const char *piece = pieces[below(state, sizeof(pieces) / sizeof(*pieces))];

		used += (size_t)snprintf(script + used, room - used, "%s", piece);
	}
}

/*
 * Words that make the file "hit" if any of their lines, or what is in them, is run.  In the
 * directory of the test, and with no command but those of the shell.
 */
static const char *const hostile[] = {
	"$(:>hit)", "`:>hit`", "\n:>hit\n", ";:>hit;", "'\n:>hit\n'", "\"\n:>hit\n\"",
	"'$(:>hit)'", "\"$(:>hit)\"", "x\n:>hit #", ")\n:>hit\n", "}\n:>hit\n", "a[$(:>hit)]",
	"\\\n:>hit\n", "E\n:>hit\n",
};

static char *with_word(const char *script, const char *word)
{
	struct text text = { .failed = false };

	for (const char *s = script; *s; s++) {
		if (*s == '@')
			quote_word(&text, word, strlen(word));
		else
			text_add(&text, s, 1);
	}
	return text_take(&text);
}

/* Whether a shell that is given the script makes the file. */
static bool is_hit(const char *shell, const char *script)
{
	pid_t pid = fork();
	int status;

	REQUIRE(pid >= 0);
	if (pid == 0) {
		int null = open("/dev/null", O_RDWR);

		dup2(null, 0);
		dup2(null, 1);
		dup2(null, 2);
		setenv("PATH", "/nonexistent", 1);
		alarm(10);
		execl(shell, "sh", "-c", script, (char *)NULL);
		_exit(127);
	}
	REQUIRE(waitpid(pid, &status, 0) == pid);
	return unlink("hit") == 0;
}

static void check_script(const char *shell, const char *script, uint64_t *state)
{
	const char *word = hostile[below(state, sizeof(hostile) / sizeof(*hostile))];
	char *whole = with_word(script, word);

	REQUIRE(whole);
	if (is_hit(shell, whole))
		test_fail(__FILE__, __LINE__, "%s runs a part of a word: %s", shell, whole);
	free(whole);
}

static void enter_directory(char *name)
{
	REQUIRE(mkdtemp(name));
	REQUIRE(chdir(name) == 0);
}

static void check_random(const char *shell, int rounds)
{
	const char *given = getenv("LEAT_TEST_SEED");
	uint64_t first = given ? strtoull(given, NULL, 10) : (uint64_t)time(NULL) * 1000000;
	char name[] = "/tmp/leat-shell-XXXXXX", script[400];
	int taken = 0;

	if (access(shell, X_OK) != 0)
		SKIP("there is no such shell");
	test_seed = seed;
	test_timeout(600);
	enter_directory(name);
	for (int round = 0; taken < rounds && !test_failed(); round++) {
		uint64_t state = random_state = first + (uint64_t)round;

		random_script(&state, script, sizeof(script));
		if (!strchr(script, '@') || refusal(script))
			continue;
		taken++;
		check_script(shell, script, &state);
	}
	rmdir(name);
}

static int random_rounds(void)
{
	return test_full() ? 50000 : test_slow() ? 150 : 900;
}

TEST_PLAIN(random_scripts_of_sh)
{
	check_random("/bin/sh", random_rounds());
}

TEST_PLAIN(random_scripts_of_bash)
{
	check_random("/bin/bash", random_rounds() / 3);
}

/* The words above do harm where they are not quoted. */
TEST_PLAIN(hostile_words_are)
{
	char name[] = "/tmp/leat-shell-XXXXXX";

	enter_directory(name);
	CHECK(is_hit("/bin/sh", "echo \"'$(:>hit)'\""));
	CHECK(is_hit("/bin/sh", "echo # 'x\n:>hit #'"));
	CHECK(is_hit("/bin/sh", "echo \"${x:-'$(:>hit)'}\""));
	CHECK(!is_hit("/bin/sh", "echo '$(:>hit)'"));
	rmdir(name);
}

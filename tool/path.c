#include "path.h"

#include <string.h>

/* Behind the last "/"; 0: there is none. */
static size_t behind_slash(const char *bytes, size_t n)
{
	while (n > 0 && bytes[n - 1] != '/')
		n--;
	return n;
}

/* Without "/" at the end, but one character at least stays. */
static size_t without_slashes(const char *bytes, size_t n)
{
	while (n > 1 && bytes[n - 1] == '/')
		n--;
	return n;
}

struct part path_without_extension(const char *bytes, size_t n)
{
	size_t last = behind_slash(bytes, n);

	for (size_t i = n; i > last; i--)
		if (bytes[i - 1] == '.')
			return (struct part){ bytes, i - 1 };
	return (struct part){ bytes, n };
}

struct part path_last(const char *bytes, size_t n)
{
	size_t last = behind_slash(bytes, n);

	return (struct part){ bytes + last, n - last };
}

struct part path_directory(const char *bytes, size_t n)
{
	size_t directory = behind_slash(bytes, n);

	if (directory == n && n > 0) {	/* "a/b/" is in "a" */
		size_t name = without_slashes(bytes, n);

		if (bytes[name - 1] != '/')
			directory = behind_slash(bytes, name);
	}
	if (directory == 0)
		return (struct part){ ".", 1 };
	return (struct part){ bytes, without_slashes(bytes, directory) };
}

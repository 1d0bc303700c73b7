/*
 * From an address to a function: /proc/self/maps says which file lies there, and
 * the file's symbol table what function.  dladdr(3) sees exported functions only,
 * so hardly any of a program, and takes a lock.
 */
#include "port/port.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

enum { LINE_MAX_BYTES = 512, SYMBOLS_AT_ONCE = 64 };

struct mapping {
	uint64_t start, end, offset;
	bool code;
	char path[LINE_MAX_BYTES];
};

/* The hexadecimal number at *text, which moves behind it and one more. */
static uint64_t hex(const char **text)
{
	uint64_t value = 0;

	for (;; ++*text) {
		char c = **text;

		if (c >= '0' && c <= '9')
			value = value * 16 + (uint64_t)(c - '0');
		else if (c >= 'a' && c <= 'f')
			value = value * 16 + (uint64_t)(c - 'a') + 10;
		else
			break;
	}
	if (**text)
		++*text;
	return value;
}

/* start-end rwxp offset dev inode path */
static void parse(const char *line, struct mapping *m)
{
	const char *path = strchr(line, '/');

	m->start = hex(&line);
	m->end = hex(&line);
	m->code = strlen(line) > 5 && line[2] == 'x';
	line += m->code ? 5 : 0;
	m->offset = hex(&line);
	m->path[0] = '\0';
	if (path)
		memcpy(m->path, path, strlen(path) + 1);
}

/* The mapping of code that contains pc. */
static bool find_mapping(uint64_t pc, struct mapping *m)
{
	char line[LINE_MAX_BYTES], buf[1024];
	size_t length = 0;
	int fd = open("/proc/self/maps", O_RDONLY | O_CLOEXEC);
	bool found = false;
	ssize_t n;

	if (fd < 0)
		return false;
	while (!found && (n = read(fd, buf, sizeof(buf))) > 0) {
		for (ssize_t i = 0; !found && i < n; i++) {
			if (buf[i] != '\n') {
				if (length < sizeof(line) - 1)
					line[length++] = buf[i];
				continue;
			}
			line[length] = '\0';
			length = 0;
			parse(line, m);
			found = m->code && pc >= m->start && pc < m->end;
		}
	}
	close(fd);
	return found;
}

static bool read_at(int fd, void *to, size_t n, uint64_t offset)
{
	return pread(fd, to, n, (off_t)offset) == (ssize_t)n;
}

/* The address that the linker gave to what lies at an offset of the file. */
static bool linked_address(int fd, const Elf64_Ehdr *e, uint64_t offset,
			   uint64_t *ret_address)
{
	for (unsigned i = 0; i < e->e_phnum; i++) {
		Elf64_Phdr p;

		if (!read_at(fd, &p, sizeof(p), e->e_phoff + i * sizeof(p)))
			return false;
		if (p.p_type == PT_LOAD && offset >= p.p_offset &&
		    offset - p.p_offset < p.p_filesz) {
			*ret_address = offset - p.p_offset + p.p_vaddr;
			return true;
		}
	}
	return false;
}

/* The table with all symbols, else that of the exported ones; and its strings. */
static bool symbol_table(int fd, const Elf64_Ehdr *e, Elf64_Shdr *ret_table,
			 Elf64_Shdr *ret_strings)
{
	bool found = false;

	for (unsigned i = 0; i < e->e_shnum; i++) {
		Elf64_Shdr s;

		if (!read_at(fd, &s, sizeof(s), e->e_shoff + i * sizeof(s)))
			return false;
		if (s.sh_type == SHT_SYMTAB || (s.sh_type == SHT_DYNSYM && !found)) {
			*ret_table = s;
			found = true;
		}
		if (s.sh_type == SHT_SYMTAB)
			break;
	}
	return found && read_at(fd, ret_strings, sizeof(*ret_strings),
				e->e_shoff + ret_table->sh_link * sizeof(*ret_strings));
}

static void look_up(int fd, const Elf64_Shdr *table, const Elf64_Shdr *strings, uint64_t address,
		    struct leat__symbol *symbol)
{
	Elf64_Sym some[SYMBOLS_AT_ONCE];
	uint64_t at = 0;

	while (at < table->sh_size) {
		uint64_t left = table->sh_size - at;
		ssize_t n = pread(fd, some, left < sizeof(some) ? left : sizeof(some),
				  (off_t)(table->sh_offset + at));

		if (n < (ssize_t)sizeof(some[0]))
			return;
		at += (uint64_t)n;
		for (size_t i = 0; i < (size_t)n / sizeof(some[0]); i++) {
			const Elf64_Sym *s = &some[i];

			if (ELF64_ST_TYPE(s->st_info) != STT_FUNC || address < s->st_value ||
			    address - s->st_value >= s->st_size)
				continue;
			n = pread(fd, symbol->name, sizeof(symbol->name) - 1,
				  (off_t)(strings->sh_offset + s->st_name));
			symbol->name[n > 0 ? n : 0] = '\0';
			symbol->offset = address - s->st_value;
			return;
		}
	}
}

void leat__symbol_find(uintptr_t pc, struct leat__symbol *ret_symbol)
{
	struct mapping m;
	Elf64_Shdr table = { 0 }, strings = { 0 };
	Elf64_Ehdr e;
	int saved = errno, fd = -1;
	uint64_t address;
	const char *base;

	memset(ret_symbol, 0, sizeof(*ret_symbol));
	if (find_mapping(pc, &m) && m.path[0]) {
		base = strrchr(m.path, '/') + 1;
		strncpy(ret_symbol->module, base, sizeof(ret_symbol->module) - 1);
		address = pc - m.start + m.offset;
		ret_symbol->offset = address;
		fd = open(m.path, O_RDONLY | O_CLOEXEC);
	}
	if (fd >= 0 && read_at(fd, &e, sizeof(e), 0) && memcmp(e.e_ident, ELFMAG, SELFMAG) == 0 &&
	    e.e_ident[EI_CLASS] == ELFCLASS64 && linked_address(fd, &e, address, &address)) {
		ret_symbol->offset = address;
		if (symbol_table(fd, &e, &table, &strings))
			look_up(fd, &table, &strings, address, ret_symbol);
	}
	if (fd >= 0)
		close(fd);
	errno = saved;
}

bool leat__code_range(uintptr_t pc, uintptr_t *ret_start, uintptr_t *ret_end)
{
	struct mapping m;
	int saved = errno;
	bool found = find_mapping(pc, &m);

	errno = saved;
	*ret_start = found ? m.start : 0;
	*ret_end = found ? m.end : 0;
	return found;
}

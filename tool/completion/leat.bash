# Completion of leat for bash.  The options are compared with the program's by tests/tool/complete.py;
# bash-completion is not needed, but completes a command's own arguments where it is there.

# Long options of leat map: those without an argument, and those with one.
_leat_map_flags='--null --pipe --shell --isolate --keep-order --line-buffer --tag --progress --dry-run
	--follow --insecure --resume --resume-failed --help'
_leat_map_options='--arg-file --max-args --max-record --block --nice --http --header --body --per-host
	--max-response --retry-after-max --ca-file --jobs --rate --rate-key --delay --timeout --grace --retry
	--retry-on --retry-delay --halt --window --results --joblog --journal'
# The letters of those that have one, with an argument.
_leat_map_letters='anj'

# Words before the cursor, put together again where = and : have cut them: words, and cur, the last one.
_leat_words()
{
	local line=${COMP_LINE:0:COMP_POINT} word blank=$' \t\n' i

	words=()
	for ((i = 0; i <= COMP_CWORD; i++)); do
		word=${COMP_WORDS[i]}
		if [[ $line == ["$blank"]* || $i -eq 0 ]]; then
			words+=("")
			line=${line#"${line%%[!"$blank"]*}"}
		fi
		((i < COMP_CWORD)) || word=$line
		words[${#words[@]} - 1]+=$word
		line=${line#"$word"}
	done
	cur=${words[${#words[@]} - 1]}
}

# What of cur stays as it is, since readline sees only what is behind a = or a :.
_leat_cut()
{
	local i reply

	[[ $cur == *[=:]* && $COMP_WORDBREAKS == *=* ]] || return 0
	cut=${cur%"${cur##*[=:]}"}
	for i in "${!COMPREPLY[@]}"; do
		reply=${COMPREPLY[i]}
		COMPREPLY[i]=${reply#"$cut"}
	done
}

_leat_choose()
{
	local choice

	for choice in $1; do
		[[ $choice != "$cur"* ]] || COMPREPLY+=("$choice")
	done
}

# compgen's -f, -d or -c.
_leat_names()
{
	local name

	while IFS= read -r name; do
		COMPREPLY+=("$name")
	done < <(compgen "$1" -- "$cur")
	[[ $1 == -c ]] || compopt -o filenames 2>/dev/null
}

# The argument of an option.
_leat_map_argument()
{
	local option=$1

	[[ $option == --* ]] || option=-${option: -1}	# as in -kj
	case $option in
	-a | --arg-file | --ca-file | --joblog | --journal)
		_leat_names -f
		;;
	--results)
		_leat_names -d
		;;
	-j | --jobs)
		_leat_choose 'auto 50% 100% 200%'
		;;
	--halt)
		_leat_choose 'never soon,fail=1 soon,fail=10% soon,success=1 now,fail=1 now,fail=10%
			now,success=1'
		;;
	--http)
		_leat_choose 'GET POST PUT PATCH DELETE HEAD'
		;;
	--retry-on)
		_leat_choose 'signal'
		;;
	esac
}

# Whether a word is an option whose argument is the next one.
_leat_takes_next()
{
	local option

	[[ ! $1 =~ ^-[^-$_leat_map_letters]*[$_leat_map_letters]$ ]] || return 0
	for option in $_leat_map_options; do
		[[ $1 != "$option" ]] || return 0
	done
	return 1
}

# The first word of the command, from 2; 0: it has not come yet.
_leat_command()
{
	local i

	for ((i = 2; i < ${#words[@]} - 1; i++)); do
		case ${words[i]} in
		--)
			echo $((i + 1))
			return
			;;
		-?*)
			! _leat_takes_next "${words[i]}" || ((i++))
			;;
		*)
			echo "$i"
			return
			;;
		esac
	done
	echo 0
}

_leat_map()
{
	local command last=$((${#words[@]} - 1)) word

	command=$(_leat_command)
	if ((command > 0 && command < last)); then
		if declare -F _command_offset >/dev/null && [[ ${#words[@]} -eq ${#COMP_WORDS[@]} ]]; then
			_command_offset "$command"
		else
			_leat_names -f
		fi
		return
	fi
	if ((command == 0)); then
		if _leat_takes_next "${words[last - 1]}" && ((last > 2)); then
			_leat_map_argument "${words[last - 1]}"
			return
		fi
		case $cur in
		--resume=*)
			_leat_choose '--resume=force'
			return
			;;
		--*=*)
			word=${cur%%=*}
			cur=${cur#*=}
			_leat_map_argument "$word"
			[[ $COMP_WORDBREAKS == *=* ]] || COMPREPLY=("${COMPREPLY[@]/#/$word=}")
			return
			;;
		-*)
			_leat_choose "$_leat_map_flags $_leat_map_options --resume=force"
			return
			;;
		esac
	fi
	# A URL is not known here.
	for word in "${words[@]}"; do
		[[ $word != --http && $word != --http=* ]] || return
	done
	_leat_names -c
}

_leat_demo()
{
	if ((${#words[@]} == 3)); then
		_leat_choose 'checksums'
	elif [[ ${words[${#words[@]} - 2]} == --journal ]]; then
		_leat_names -f
	elif [[ $cur == -* ]]; then
		_leat_choose '--all --size --seed --jobs --journal --list --help'
	else
		_leat_names -d
	fi
}

_leat()
{
	local words cur cut

	COMPREPLY=()
	_leat_words
	if ((${#words[@]} == 2)); then
		_leat_choose 'map demo help --help --version'
	elif [[ ${words[1]} == help && ${#words[@]} -eq 3 ]]; then
		_leat_choose 'map demo'
	elif [[ ${words[1]} == demo ]]; then
		_leat_demo
	elif [[ ${words[1]} == map ]]; then
		_leat_map
	fi
	_leat_cut
}

complete -F _leat leat

# Print an optspec for argparse to handle cmd's options that are independent of any subcommand.
function __fish_walletctl_global_optspecs
    string join \n o/output= fields= color= tz= context= socket= url= v/verbose h/help V/version
end

function __fish_walletctl_needs_command
    # Figure out if the current invocation already has a command.
    set -l cmd (commandline -opc)
    set -e cmd[1]
    argparse -s (__fish_walletctl_global_optspecs) -- $cmd 2>/dev/null
    or return
    if set -q argv[1]
        # Also print the command, so this can be used to figure out what it is.
        echo $argv[1]
        return 1
    end
    return 0
end

function __fish_walletctl_using_subcommand
    set -l cmd (__fish_walletctl_needs_command)
    test -z "$cmd"
    and return 1
    contains -- $cmd[1] $argv
end

complete -c walletctl -n "__fish_walletctl_needs_command" -s o -l output -d 'Form of the result on stdout: table, json, ndjson or csv' -r -f -a "table\t'Columns for people'
json\t'One envelope with schema, data and meta'
ndjson\t'One flat object a line'
csv\t'A header and one flat row a line'"
complete -c walletctl -n "__fish_walletctl_needs_command" -l fields -d 'Columns to show, separated by commas' -r
complete -c walletctl -n "__fish_walletctl_needs_command" -l color -d 'When to use colour: auto, always or never' -r -f -a "auto\t'At a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c walletctl -n "__fish_walletctl_needs_command" -l tz -d 'Zone of dates, by its IANA name; UTC unless the context says otherwise' -r
complete -c walletctl -n "__fish_walletctl_needs_command" -l context -d 'Context to use' -r
complete -c walletctl -n "__fish_walletctl_needs_command" -l socket -d 'Socket of the daemon' -r
complete -c walletctl -n "__fish_walletctl_needs_command" -l url -d 'Address of the daemon: https://, or http:// and a loopback address' -r
complete -c walletctl -n "__fish_walletctl_needs_command" -s v -l verbose -d 'Say on stderr which trace the requests are part of (the one TRACEPARENT names, or a new one)'
complete -c walletctl -n "__fish_walletctl_needs_command" -s h -l help -d 'Print help'
complete -c walletctl -n "__fish_walletctl_needs_command" -s V -l version -d 'Print version'
complete -c walletctl -n "__fish_walletctl_needs_command" -f -a "asset" -d 'Currencies and other units of money'
complete -c walletctl -n "__fish_walletctl_needs_command" -f -a "wallet" -d 'Wallets and their life'
complete -c walletctl -n "__fish_walletctl_needs_command" -f -a "deposit" -d 'Pay money into a wallet from outside'
complete -c walletctl -n "__fish_walletctl_needs_command" -f -a "withdraw" -d 'Pay money out of a wallet'
complete -c walletctl -n "__fish_walletctl_needs_command" -f -a "transfer" -d 'Move money from one wallet to another'
complete -c walletctl -n "__fish_walletctl_needs_command" -f -a "tx" -d 'Transactions'
complete -c walletctl -n "__fish_walletctl_needs_command" -f -a "balance" -d 'Show what wallets hold, now or at any past moment'
complete -c walletctl -n "__fish_walletctl_needs_command" -f -a "statement" -d 'Show a wallet\'s statement: opening balance, every movement by the time it counts, closing balance'
complete -c walletctl -n "__fish_walletctl_needs_command" -f -a "batch" -d 'Many commands from a file'
complete -c walletctl -n "__fish_walletctl_needs_command" -f -a "export" -d 'Files of balances, transactions or the journal'
complete -c walletctl -n "__fish_walletctl_needs_command" -f -a "audit" -d 'The audit trail'
complete -c walletctl -n "__fish_walletctl_needs_command" -f -a "auth" -d 'Signing in'
complete -c walletctl -n "__fish_walletctl_needs_command" -f -a "intent" -d 'Writes that a crash or a lost answer left open'
complete -c walletctl -n "__fish_walletctl_needs_command" -f -a "context" -d 'Named daemons and how to treat them'
complete -c walletctl -n "__fish_walletctl_needs_command" -f -a "config" -d 'Settings'
complete -c walletctl -n "__fish_walletctl_needs_command" -f -a "daemon" -d 'The daemon'
complete -c walletctl -n "__fish_walletctl_needs_command" -f -a "doctor" -d 'Find what would go wrong: folders, sign-in, daemon, clocks, rights, certificate; at night, with nobody there'
complete -c walletctl -n "__fish_walletctl_needs_command" -f -a "explain" -d 'Explain an error code, or the codes of an exit code, or list them all'
complete -c walletctl -n "__fish_walletctl_needs_command" -f -a "api" -d 'Send any request to the daemon and print its answer as it is'
complete -c walletctl -n "__fish_walletctl_needs_command" -f -a "bench" -d 'Measure a scratch daemon: what it does, beside the raw limits of this machine'
complete -c walletctl -n "__fish_walletctl_needs_command" -f -a "completion" -d 'Print the completion script of a shell'
complete -c walletctl -n "__fish_walletctl_needs_command" -f -a "man" -d 'Print the manual page, or write one for every command'
complete -c walletctl -n "__fish_walletctl_needs_command" -f -a "version" -d 'Print the version'
complete -c walletctl -n "__fish_walletctl_using_subcommand asset; and not __fish_seen_subcommand_from list register" -s o -l output -d 'Form of the result on stdout: table, json, ndjson or csv' -r -f -a "table\t'Columns for people'
json\t'One envelope with schema, data and meta'
ndjson\t'One flat object a line'
csv\t'A header and one flat row a line'"
complete -c walletctl -n "__fish_walletctl_using_subcommand asset; and not __fish_seen_subcommand_from list register" -l fields -d 'Columns to show, separated by commas' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand asset; and not __fish_seen_subcommand_from list register" -l color -d 'When to use colour: auto, always or never' -r -f -a "auto\t'At a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c walletctl -n "__fish_walletctl_using_subcommand asset; and not __fish_seen_subcommand_from list register" -l tz -d 'Zone of dates, by its IANA name; UTC unless the context says otherwise' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand asset; and not __fish_seen_subcommand_from list register" -l context -d 'Context to use' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand asset; and not __fish_seen_subcommand_from list register" -l socket -d 'Socket of the daemon' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand asset; and not __fish_seen_subcommand_from list register" -l url -d 'Address of the daemon: https://, or http:// and a loopback address' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand asset; and not __fish_seen_subcommand_from list register" -s v -l verbose -d 'Say on stderr which trace the requests are part of (the one TRACEPARENT names, or a new one)'
complete -c walletctl -n "__fish_walletctl_using_subcommand asset; and not __fish_seen_subcommand_from list register" -s h -l help -d 'Print help'
complete -c walletctl -n "__fish_walletctl_using_subcommand asset; and not __fish_seen_subcommand_from list register" -f -a "list" -d 'List every asset: the registered ones, then ISO 4217\'s'
complete -c walletctl -n "__fish_walletctl_using_subcommand asset; and not __fish_seen_subcommand_from list register" -f -a "register" -d 'Register an asset, for ever: its scale never changes'
complete -c walletctl -n "__fish_walletctl_using_subcommand asset; and __fish_seen_subcommand_from list" -s o -l output -d 'Form of the result on stdout: table, json, ndjson or csv' -r -f -a "table\t'Columns for people'
json\t'One envelope with schema, data and meta'
ndjson\t'One flat object a line'
csv\t'A header and one flat row a line'"
complete -c walletctl -n "__fish_walletctl_using_subcommand asset; and __fish_seen_subcommand_from list" -l fields -d 'Columns to show, separated by commas' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand asset; and __fish_seen_subcommand_from list" -l color -d 'When to use colour: auto, always or never' -r -f -a "auto\t'At a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c walletctl -n "__fish_walletctl_using_subcommand asset; and __fish_seen_subcommand_from list" -l tz -d 'Zone of dates, by its IANA name; UTC unless the context says otherwise' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand asset; and __fish_seen_subcommand_from list" -l context -d 'Context to use' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand asset; and __fish_seen_subcommand_from list" -l socket -d 'Socket of the daemon' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand asset; and __fish_seen_subcommand_from list" -l url -d 'Address of the daemon: https://, or http:// and a loopback address' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand asset; and __fish_seen_subcommand_from list" -l registered -d 'Only the registered ones'
complete -c walletctl -n "__fish_walletctl_using_subcommand asset; and __fish_seen_subcommand_from list" -s v -l verbose -d 'Say on stderr which trace the requests are part of (the one TRACEPARENT names, or a new one)'
complete -c walletctl -n "__fish_walletctl_using_subcommand asset; and __fish_seen_subcommand_from list" -s h -l help -d 'Print help'
complete -c walletctl -n "__fish_walletctl_using_subcommand asset; and __fish_seen_subcommand_from register" -l scale -d 'Digits behind the point, at most 18' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand asset; and __fish_seen_subcommand_from register" -l idempotency-key -d 'What makes it happen at most once: the same key and content again gives the first answer again. Made at a terminal; required without one' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand asset; and __fish_seen_subcommand_from register" -s o -l output -d 'Form of the result on stdout: table, json, ndjson or csv' -r -f -a "table\t'Columns for people'
json\t'One envelope with schema, data and meta'
ndjson\t'One flat object a line'
csv\t'A header and one flat row a line'"
complete -c walletctl -n "__fish_walletctl_using_subcommand asset; and __fish_seen_subcommand_from register" -l fields -d 'Columns to show, separated by commas' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand asset; and __fish_seen_subcommand_from register" -l color -d 'When to use colour: auto, always or never' -r -f -a "auto\t'At a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c walletctl -n "__fish_walletctl_using_subcommand asset; and __fish_seen_subcommand_from register" -l tz -d 'Zone of dates, by its IANA name; UTC unless the context says otherwise' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand asset; and __fish_seen_subcommand_from register" -l context -d 'Context to use' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand asset; and __fish_seen_subcommand_from register" -l socket -d 'Socket of the daemon' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand asset; and __fish_seen_subcommand_from register" -l url -d 'Address of the daemon: https://, or http:// and a loopback address' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand asset; and __fish_seen_subcommand_from register" -s y -l yes -d 'Do not ask'
complete -c walletctl -n "__fish_walletctl_using_subcommand asset; and __fish_seen_subcommand_from register" -l dry-run -d 'Only ask the daemon what would happen'
complete -c walletctl -n "__fish_walletctl_using_subcommand asset; and __fish_seen_subcommand_from register" -s v -l verbose -d 'Say on stderr which trace the requests are part of (the one TRACEPARENT names, or a new one)'
complete -c walletctl -n "__fish_walletctl_using_subcommand asset; and __fish_seen_subcommand_from register" -s h -l help -d 'Print help'
complete -c walletctl -n "__fish_walletctl_using_subcommand wallet; and not __fish_seen_subcommand_from create import list show freeze unfreeze close set-limit" -s o -l output -d 'Form of the result on stdout: table, json, ndjson or csv' -r -f -a "table\t'Columns for people'
json\t'One envelope with schema, data and meta'
ndjson\t'One flat object a line'
csv\t'A header and one flat row a line'"
complete -c walletctl -n "__fish_walletctl_using_subcommand wallet; and not __fish_seen_subcommand_from create import list show freeze unfreeze close set-limit" -l fields -d 'Columns to show, separated by commas' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand wallet; and not __fish_seen_subcommand_from create import list show freeze unfreeze close set-limit" -l color -d 'When to use colour: auto, always or never' -r -f -a "auto\t'At a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c walletctl -n "__fish_walletctl_using_subcommand wallet; and not __fish_seen_subcommand_from create import list show freeze unfreeze close set-limit" -l tz -d 'Zone of dates, by its IANA name; UTC unless the context says otherwise' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand wallet; and not __fish_seen_subcommand_from create import list show freeze unfreeze close set-limit" -l context -d 'Context to use' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand wallet; and not __fish_seen_subcommand_from create import list show freeze unfreeze close set-limit" -l socket -d 'Socket of the daemon' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand wallet; and not __fish_seen_subcommand_from create import list show freeze unfreeze close set-limit" -l url -d 'Address of the daemon: https://, or http:// and a loopback address' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand wallet; and not __fish_seen_subcommand_from create import list show freeze unfreeze close set-limit" -s v -l verbose -d 'Say on stderr which trace the requests are part of (the one TRACEPARENT names, or a new one)'
complete -c walletctl -n "__fish_walletctl_using_subcommand wallet; and not __fish_seen_subcommand_from create import list show freeze unfreeze close set-limit" -s h -l help -d 'Print help'
complete -c walletctl -n "__fish_walletctl_using_subcommand wallet; and not __fish_seen_subcommand_from create import list show freeze unfreeze close set-limit" -f -a "create" -d 'Open a wallet'
complete -c walletctl -n "__fish_walletctl_using_subcommand wallet; and not __fish_seen_subcommand_from create import list show freeze unfreeze close set-limit" -f -a "import" -d 'Open wallets from a CSV file'
complete -c walletctl -n "__fish_walletctl_using_subcommand wallet; and not __fish_seen_subcommand_from create import list show freeze unfreeze close set-limit" -f -a "list" -d 'List wallets by id'
complete -c walletctl -n "__fish_walletctl_using_subcommand wallet; and not __fish_seen_subcommand_from create import list show freeze unfreeze close set-limit" -f -a "show" -d 'Show a wallet and its balance now'
complete -c walletctl -n "__fish_walletctl_using_subcommand wallet; and not __fish_seen_subcommand_from create import list show freeze unfreeze close set-limit" -f -a "freeze" -d 'Freeze a wallet: no money leaves it or enters it until it is unfrozen'
complete -c walletctl -n "__fish_walletctl_using_subcommand wallet; and not __fish_seen_subcommand_from create import list show freeze unfreeze close set-limit" -f -a "unfreeze" -d 'Unfreeze a wallet'
complete -c walletctl -n "__fish_walletctl_using_subcommand wallet; and not __fish_seen_subcommand_from create import list show freeze unfreeze close set-limit" -f -a "close" -d 'Close an empty wallet, for ever'
complete -c walletctl -n "__fish_walletctl_using_subcommand wallet; and not __fish_seen_subcommand_from create import list show freeze unfreeze close set-limit" -f -a "set-limit" -d 'Change how far below zero a wallet may go'
complete -c walletctl -n "__fish_walletctl_using_subcommand wallet; and __fish_seen_subcommand_from create" -l owner -d 'Who owns it' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand wallet; and __fish_seen_subcommand_from create" -l asset -d 'Its one asset' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand wallet; and __fish_seen_subcommand_from create" -l overdraft -d 'How far below zero it may go: an amount, or unlimited' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand wallet; and __fish_seen_subcommand_from create" -l opened-at -d 'When it opened, in the past: a date (its first instant) or an instant' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand wallet; and __fish_seen_subcommand_from create" -l label -d 'A name for people' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand wallet; and __fish_seen_subcommand_from create" -l meta -d 'A free fact; may be given again' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand wallet; and __fish_seen_subcommand_from create" -l idempotency-key -d 'What makes it happen at most once: the same key and content again gives the first answer again. Made at a terminal; required without one' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand wallet; and __fish_seen_subcommand_from create" -s o -l output -d 'Form of the result on stdout: table, json, ndjson or csv' -r -f -a "table\t'Columns for people'
json\t'One envelope with schema, data and meta'
ndjson\t'One flat object a line'
csv\t'A header and one flat row a line'"
complete -c walletctl -n "__fish_walletctl_using_subcommand wallet; and __fish_seen_subcommand_from create" -l fields -d 'Columns to show, separated by commas' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand wallet; and __fish_seen_subcommand_from create" -l color -d 'When to use colour: auto, always or never' -r -f -a "auto\t'At a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c walletctl -n "__fish_walletctl_using_subcommand wallet; and __fish_seen_subcommand_from create" -l tz -d 'Zone of dates, by its IANA name; UTC unless the context says otherwise' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand wallet; and __fish_seen_subcommand_from create" -l context -d 'Context to use' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand wallet; and __fish_seen_subcommand_from create" -l socket -d 'Socket of the daemon' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand wallet; and __fish_seen_subcommand_from create" -l url -d 'Address of the daemon: https://, or http:// and a loopback address' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand wallet; and __fish_seen_subcommand_from create" -s y -l yes -d 'Do not ask'
complete -c walletctl -n "__fish_walletctl_using_subcommand wallet; and __fish_seen_subcommand_from create" -l dry-run -d 'Only ask the daemon what would happen'
complete -c walletctl -n "__fish_walletctl_using_subcommand wallet; and __fish_seen_subcommand_from create" -s v -l verbose -d 'Say on stderr which trace the requests are part of (the one TRACEPARENT names, or a new one)'
complete -c walletctl -n "__fish_walletctl_using_subcommand wallet; and __fish_seen_subcommand_from create" -s h -l help -d 'Print help'
complete -c walletctl -n "__fish_walletctl_using_subcommand wallet; and __fish_seen_subcommand_from import" -s o -l output -d 'Form of the result on stdout: table, json, ndjson or csv' -r -f -a "table\t'Columns for people'
json\t'One envelope with schema, data and meta'
ndjson\t'One flat object a line'
csv\t'A header and one flat row a line'"
complete -c walletctl -n "__fish_walletctl_using_subcommand wallet; and __fish_seen_subcommand_from import" -l fields -d 'Columns to show, separated by commas' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand wallet; and __fish_seen_subcommand_from import" -l color -d 'When to use colour: auto, always or never' -r -f -a "auto\t'At a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c walletctl -n "__fish_walletctl_using_subcommand wallet; and __fish_seen_subcommand_from import" -l tz -d 'Zone of dates, by its IANA name; UTC unless the context says otherwise' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand wallet; and __fish_seen_subcommand_from import" -l context -d 'Context to use' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand wallet; and __fish_seen_subcommand_from import" -l socket -d 'Socket of the daemon' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand wallet; and __fish_seen_subcommand_from import" -l url -d 'Address of the daemon: https://, or http:// and a loopback address' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand wallet; and __fish_seen_subcommand_from import" -s y -l yes -d 'Do not ask'
complete -c walletctl -n "__fish_walletctl_using_subcommand wallet; and __fish_seen_subcommand_from import" -l dry-run -d 'Only ask the daemon what would happen'
complete -c walletctl -n "__fish_walletctl_using_subcommand wallet; and __fish_seen_subcommand_from import" -s v -l verbose -d 'Say on stderr which trace the requests are part of (the one TRACEPARENT names, or a new one)'
complete -c walletctl -n "__fish_walletctl_using_subcommand wallet; and __fish_seen_subcommand_from import" -s h -l help -d 'Print help'
complete -c walletctl -n "__fish_walletctl_using_subcommand wallet; and __fish_seen_subcommand_from list" -l owner -d 'Only this owner\'s' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand wallet; and __fish_seen_subcommand_from list" -l asset -d 'Only of this asset' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand wallet; and __fish_seen_subcommand_from list" -l status -d 'Only with this status' -r -f -a "opening\t''
active\t''
frozen\t''
closed\t''"
complete -c walletctl -n "__fish_walletctl_using_subcommand wallet; and __fish_seen_subcommand_from list" -l limit -d 'At most so many' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand wallet; and __fish_seen_subcommand_from list" -s o -l output -d 'Form of the result on stdout: table, json, ndjson or csv' -r -f -a "table\t'Columns for people'
json\t'One envelope with schema, data and meta'
ndjson\t'One flat object a line'
csv\t'A header and one flat row a line'"
complete -c walletctl -n "__fish_walletctl_using_subcommand wallet; and __fish_seen_subcommand_from list" -l fields -d 'Columns to show, separated by commas' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand wallet; and __fish_seen_subcommand_from list" -l color -d 'When to use colour: auto, always or never' -r -f -a "auto\t'At a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c walletctl -n "__fish_walletctl_using_subcommand wallet; and __fish_seen_subcommand_from list" -l tz -d 'Zone of dates, by its IANA name; UTC unless the context says otherwise' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand wallet; and __fish_seen_subcommand_from list" -l context -d 'Context to use' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand wallet; and __fish_seen_subcommand_from list" -l socket -d 'Socket of the daemon' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand wallet; and __fish_seen_subcommand_from list" -l url -d 'Address of the daemon: https://, or http:// and a loopback address' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand wallet; and __fish_seen_subcommand_from list" -l all -d 'All of them'
complete -c walletctl -n "__fish_walletctl_using_subcommand wallet; and __fish_seen_subcommand_from list" -s v -l verbose -d 'Say on stderr which trace the requests are part of (the one TRACEPARENT names, or a new one)'
complete -c walletctl -n "__fish_walletctl_using_subcommand wallet; and __fish_seen_subcommand_from list" -s h -l help -d 'Print help'
complete -c walletctl -n "__fish_walletctl_using_subcommand wallet; and __fish_seen_subcommand_from show" -s o -l output -d 'Form of the result on stdout: table, json, ndjson or csv' -r -f -a "table\t'Columns for people'
json\t'One envelope with schema, data and meta'
ndjson\t'One flat object a line'
csv\t'A header and one flat row a line'"
complete -c walletctl -n "__fish_walletctl_using_subcommand wallet; and __fish_seen_subcommand_from show" -l fields -d 'Columns to show, separated by commas' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand wallet; and __fish_seen_subcommand_from show" -l color -d 'When to use colour: auto, always or never' -r -f -a "auto\t'At a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c walletctl -n "__fish_walletctl_using_subcommand wallet; and __fish_seen_subcommand_from show" -l tz -d 'Zone of dates, by its IANA name; UTC unless the context says otherwise' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand wallet; and __fish_seen_subcommand_from show" -l context -d 'Context to use' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand wallet; and __fish_seen_subcommand_from show" -l socket -d 'Socket of the daemon' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand wallet; and __fish_seen_subcommand_from show" -l url -d 'Address of the daemon: https://, or http:// and a loopback address' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand wallet; and __fish_seen_subcommand_from show" -s v -l verbose -d 'Say on stderr which trace the requests are part of (the one TRACEPARENT names, or a new one)'
complete -c walletctl -n "__fish_walletctl_using_subcommand wallet; and __fish_seen_subcommand_from show" -s h -l help -d 'Print help'
complete -c walletctl -n "__fish_walletctl_using_subcommand wallet; and __fish_seen_subcommand_from freeze" -l reason -d 'Why; kept in the audit trail' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand wallet; and __fish_seen_subcommand_from freeze" -l idempotency-key -d 'What makes it happen at most once: the same key and content again gives the first answer again. Made at a terminal; required without one' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand wallet; and __fish_seen_subcommand_from freeze" -s o -l output -d 'Form of the result on stdout: table, json, ndjson or csv' -r -f -a "table\t'Columns for people'
json\t'One envelope with schema, data and meta'
ndjson\t'One flat object a line'
csv\t'A header and one flat row a line'"
complete -c walletctl -n "__fish_walletctl_using_subcommand wallet; and __fish_seen_subcommand_from freeze" -l fields -d 'Columns to show, separated by commas' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand wallet; and __fish_seen_subcommand_from freeze" -l color -d 'When to use colour: auto, always or never' -r -f -a "auto\t'At a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c walletctl -n "__fish_walletctl_using_subcommand wallet; and __fish_seen_subcommand_from freeze" -l tz -d 'Zone of dates, by its IANA name; UTC unless the context says otherwise' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand wallet; and __fish_seen_subcommand_from freeze" -l context -d 'Context to use' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand wallet; and __fish_seen_subcommand_from freeze" -l socket -d 'Socket of the daemon' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand wallet; and __fish_seen_subcommand_from freeze" -l url -d 'Address of the daemon: https://, or http:// and a loopback address' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand wallet; and __fish_seen_subcommand_from freeze" -s y -l yes -d 'Do not ask'
complete -c walletctl -n "__fish_walletctl_using_subcommand wallet; and __fish_seen_subcommand_from freeze" -l dry-run -d 'Only ask the daemon what would happen'
complete -c walletctl -n "__fish_walletctl_using_subcommand wallet; and __fish_seen_subcommand_from freeze" -s v -l verbose -d 'Say on stderr which trace the requests are part of (the one TRACEPARENT names, or a new one)'
complete -c walletctl -n "__fish_walletctl_using_subcommand wallet; and __fish_seen_subcommand_from freeze" -s h -l help -d 'Print help'
complete -c walletctl -n "__fish_walletctl_using_subcommand wallet; and __fish_seen_subcommand_from unfreeze" -l reason -d 'Why; kept in the audit trail' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand wallet; and __fish_seen_subcommand_from unfreeze" -l idempotency-key -d 'What makes it happen at most once: the same key and content again gives the first answer again. Made at a terminal; required without one' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand wallet; and __fish_seen_subcommand_from unfreeze" -s o -l output -d 'Form of the result on stdout: table, json, ndjson or csv' -r -f -a "table\t'Columns for people'
json\t'One envelope with schema, data and meta'
ndjson\t'One flat object a line'
csv\t'A header and one flat row a line'"
complete -c walletctl -n "__fish_walletctl_using_subcommand wallet; and __fish_seen_subcommand_from unfreeze" -l fields -d 'Columns to show, separated by commas' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand wallet; and __fish_seen_subcommand_from unfreeze" -l color -d 'When to use colour: auto, always or never' -r -f -a "auto\t'At a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c walletctl -n "__fish_walletctl_using_subcommand wallet; and __fish_seen_subcommand_from unfreeze" -l tz -d 'Zone of dates, by its IANA name; UTC unless the context says otherwise' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand wallet; and __fish_seen_subcommand_from unfreeze" -l context -d 'Context to use' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand wallet; and __fish_seen_subcommand_from unfreeze" -l socket -d 'Socket of the daemon' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand wallet; and __fish_seen_subcommand_from unfreeze" -l url -d 'Address of the daemon: https://, or http:// and a loopback address' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand wallet; and __fish_seen_subcommand_from unfreeze" -s y -l yes -d 'Do not ask'
complete -c walletctl -n "__fish_walletctl_using_subcommand wallet; and __fish_seen_subcommand_from unfreeze" -l dry-run -d 'Only ask the daemon what would happen'
complete -c walletctl -n "__fish_walletctl_using_subcommand wallet; and __fish_seen_subcommand_from unfreeze" -s v -l verbose -d 'Say on stderr which trace the requests are part of (the one TRACEPARENT names, or a new one)'
complete -c walletctl -n "__fish_walletctl_using_subcommand wallet; and __fish_seen_subcommand_from unfreeze" -s h -l help -d 'Print help'
complete -c walletctl -n "__fish_walletctl_using_subcommand wallet; and __fish_seen_subcommand_from close" -l reason -d 'Why; kept in the audit trail' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand wallet; and __fish_seen_subcommand_from close" -l idempotency-key -d 'What makes it happen at most once: the same key and content again gives the first answer again. Made at a terminal; required without one' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand wallet; and __fish_seen_subcommand_from close" -s o -l output -d 'Form of the result on stdout: table, json, ndjson or csv' -r -f -a "table\t'Columns for people'
json\t'One envelope with schema, data and meta'
ndjson\t'One flat object a line'
csv\t'A header and one flat row a line'"
complete -c walletctl -n "__fish_walletctl_using_subcommand wallet; and __fish_seen_subcommand_from close" -l fields -d 'Columns to show, separated by commas' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand wallet; and __fish_seen_subcommand_from close" -l color -d 'When to use colour: auto, always or never' -r -f -a "auto\t'At a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c walletctl -n "__fish_walletctl_using_subcommand wallet; and __fish_seen_subcommand_from close" -l tz -d 'Zone of dates, by its IANA name; UTC unless the context says otherwise' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand wallet; and __fish_seen_subcommand_from close" -l context -d 'Context to use' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand wallet; and __fish_seen_subcommand_from close" -l socket -d 'Socket of the daemon' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand wallet; and __fish_seen_subcommand_from close" -l url -d 'Address of the daemon: https://, or http:// and a loopback address' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand wallet; and __fish_seen_subcommand_from close" -s y -l yes -d 'Do not ask'
complete -c walletctl -n "__fish_walletctl_using_subcommand wallet; and __fish_seen_subcommand_from close" -l dry-run -d 'Only ask the daemon what would happen'
complete -c walletctl -n "__fish_walletctl_using_subcommand wallet; and __fish_seen_subcommand_from close" -s v -l verbose -d 'Say on stderr which trace the requests are part of (the one TRACEPARENT names, or a new one)'
complete -c walletctl -n "__fish_walletctl_using_subcommand wallet; and __fish_seen_subcommand_from close" -s h -l help -d 'Print help'
complete -c walletctl -n "__fish_walletctl_using_subcommand wallet; and __fish_seen_subcommand_from set-limit" -l overdraft -d 'An amount, or unlimited' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand wallet; and __fish_seen_subcommand_from set-limit" -l reason -d 'Why; kept in the audit trail' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand wallet; and __fish_seen_subcommand_from set-limit" -l idempotency-key -d 'What makes it happen at most once: the same key and content again gives the first answer again. Made at a terminal; required without one' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand wallet; and __fish_seen_subcommand_from set-limit" -s o -l output -d 'Form of the result on stdout: table, json, ndjson or csv' -r -f -a "table\t'Columns for people'
json\t'One envelope with schema, data and meta'
ndjson\t'One flat object a line'
csv\t'A header and one flat row a line'"
complete -c walletctl -n "__fish_walletctl_using_subcommand wallet; and __fish_seen_subcommand_from set-limit" -l fields -d 'Columns to show, separated by commas' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand wallet; and __fish_seen_subcommand_from set-limit" -l color -d 'When to use colour: auto, always or never' -r -f -a "auto\t'At a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c walletctl -n "__fish_walletctl_using_subcommand wallet; and __fish_seen_subcommand_from set-limit" -l tz -d 'Zone of dates, by its IANA name; UTC unless the context says otherwise' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand wallet; and __fish_seen_subcommand_from set-limit" -l context -d 'Context to use' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand wallet; and __fish_seen_subcommand_from set-limit" -l socket -d 'Socket of the daemon' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand wallet; and __fish_seen_subcommand_from set-limit" -l url -d 'Address of the daemon: https://, or http:// and a loopback address' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand wallet; and __fish_seen_subcommand_from set-limit" -s y -l yes -d 'Do not ask'
complete -c walletctl -n "__fish_walletctl_using_subcommand wallet; and __fish_seen_subcommand_from set-limit" -l dry-run -d 'Only ask the daemon what would happen'
complete -c walletctl -n "__fish_walletctl_using_subcommand wallet; and __fish_seen_subcommand_from set-limit" -s v -l verbose -d 'Say on stderr which trace the requests are part of (the one TRACEPARENT names, or a new one)'
complete -c walletctl -n "__fish_walletctl_using_subcommand wallet; and __fish_seen_subcommand_from set-limit" -s h -l help -d 'Print help'
complete -c walletctl -n "__fish_walletctl_using_subcommand deposit" -l to -d 'The wallet that is paid' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand deposit" -l amount -d 'How much: digits, with an optional point; nothing is ever rounded' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand deposit" -l asset -d 'Of what' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand deposit" -l memo -d 'A note' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand deposit" -l meta -d 'A free fact; may be given again' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand deposit" -l effective-at -d 'When it counts, in the past: a date (its first instant) or an instant; now when left out' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand deposit" -l idempotency-key -d 'What makes it happen at most once: the same key and content again gives the first answer again. Made at a terminal; required without one' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand deposit" -s o -l output -d 'Form of the result on stdout: table, json, ndjson or csv' -r -f -a "table\t'Columns for people'
json\t'One envelope with schema, data and meta'
ndjson\t'One flat object a line'
csv\t'A header and one flat row a line'"
complete -c walletctl -n "__fish_walletctl_using_subcommand deposit" -l fields -d 'Columns to show, separated by commas' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand deposit" -l color -d 'When to use colour: auto, always or never' -r -f -a "auto\t'At a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c walletctl -n "__fish_walletctl_using_subcommand deposit" -l tz -d 'Zone of dates, by its IANA name; UTC unless the context says otherwise' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand deposit" -l context -d 'Context to use' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand deposit" -l socket -d 'Socket of the daemon' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand deposit" -l url -d 'Address of the daemon: https://, or http:// and a loopback address' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand deposit" -s y -l yes -d 'Do not ask'
complete -c walletctl -n "__fish_walletctl_using_subcommand deposit" -l dry-run -d 'Only ask the daemon what would happen'
complete -c walletctl -n "__fish_walletctl_using_subcommand deposit" -s v -l verbose -d 'Say on stderr which trace the requests are part of (the one TRACEPARENT names, or a new one)'
complete -c walletctl -n "__fish_walletctl_using_subcommand deposit" -s h -l help -d 'Print help'
complete -c walletctl -n "__fish_walletctl_using_subcommand withdraw" -l from -d 'The wallet that pays' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand withdraw" -l amount -d 'How much: digits, with an optional point; nothing is ever rounded' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand withdraw" -l asset -d 'Of what' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand withdraw" -l memo -d 'A note' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand withdraw" -l meta -d 'A free fact; may be given again' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand withdraw" -l effective-at -d 'When it counts, in the past: a date (its first instant) or an instant; now when left out' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand withdraw" -l idempotency-key -d 'What makes it happen at most once: the same key and content again gives the first answer again. Made at a terminal; required without one' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand withdraw" -s o -l output -d 'Form of the result on stdout: table, json, ndjson or csv' -r -f -a "table\t'Columns for people'
json\t'One envelope with schema, data and meta'
ndjson\t'One flat object a line'
csv\t'A header and one flat row a line'"
complete -c walletctl -n "__fish_walletctl_using_subcommand withdraw" -l fields -d 'Columns to show, separated by commas' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand withdraw" -l color -d 'When to use colour: auto, always or never' -r -f -a "auto\t'At a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c walletctl -n "__fish_walletctl_using_subcommand withdraw" -l tz -d 'Zone of dates, by its IANA name; UTC unless the context says otherwise' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand withdraw" -l context -d 'Context to use' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand withdraw" -l socket -d 'Socket of the daemon' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand withdraw" -l url -d 'Address of the daemon: https://, or http:// and a loopback address' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand withdraw" -s y -l yes -d 'Do not ask'
complete -c walletctl -n "__fish_walletctl_using_subcommand withdraw" -l dry-run -d 'Only ask the daemon what would happen'
complete -c walletctl -n "__fish_walletctl_using_subcommand withdraw" -s v -l verbose -d 'Say on stderr which trace the requests are part of (the one TRACEPARENT names, or a new one)'
complete -c walletctl -n "__fish_walletctl_using_subcommand withdraw" -s h -l help -d 'Print help'
complete -c walletctl -n "__fish_walletctl_using_subcommand transfer" -l from -d 'The wallet that pays' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand transfer" -l to -d 'The wallet that is paid' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand transfer" -l amount -d 'How much: digits, with an optional point; nothing is ever rounded' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand transfer" -l asset -d 'Of what' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand transfer" -l memo -d 'A note' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand transfer" -l meta -d 'A free fact; may be given again' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand transfer" -l effective-at -d 'When it counts, in the past: a date (its first instant) or an instant; now when left out' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand transfer" -l idempotency-key -d 'What makes it happen at most once: the same key and content again gives the first answer again. Made at a terminal; required without one' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand transfer" -s o -l output -d 'Form of the result on stdout: table, json, ndjson or csv' -r -f -a "table\t'Columns for people'
json\t'One envelope with schema, data and meta'
ndjson\t'One flat object a line'
csv\t'A header and one flat row a line'"
complete -c walletctl -n "__fish_walletctl_using_subcommand transfer" -l fields -d 'Columns to show, separated by commas' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand transfer" -l color -d 'When to use colour: auto, always or never' -r -f -a "auto\t'At a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c walletctl -n "__fish_walletctl_using_subcommand transfer" -l tz -d 'Zone of dates, by its IANA name; UTC unless the context says otherwise' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand transfer" -l context -d 'Context to use' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand transfer" -l socket -d 'Socket of the daemon' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand transfer" -l url -d 'Address of the daemon: https://, or http:// and a loopback address' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand transfer" -s y -l yes -d 'Do not ask'
complete -c walletctl -n "__fish_walletctl_using_subcommand transfer" -l dry-run -d 'Only ask the daemon what would happen'
complete -c walletctl -n "__fish_walletctl_using_subcommand transfer" -s v -l verbose -d 'Say on stderr which trace the requests are part of (the one TRACEPARENT names, or a new one)'
complete -c walletctl -n "__fish_walletctl_using_subcommand transfer" -s h -l help -d 'Print help'
complete -c walletctl -n "__fish_walletctl_using_subcommand tx; and not __fish_seen_subcommand_from list show reverse" -s o -l output -d 'Form of the result on stdout: table, json, ndjson or csv' -r -f -a "table\t'Columns for people'
json\t'One envelope with schema, data and meta'
ndjson\t'One flat object a line'
csv\t'A header and one flat row a line'"
complete -c walletctl -n "__fish_walletctl_using_subcommand tx; and not __fish_seen_subcommand_from list show reverse" -l fields -d 'Columns to show, separated by commas' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand tx; and not __fish_seen_subcommand_from list show reverse" -l color -d 'When to use colour: auto, always or never' -r -f -a "auto\t'At a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c walletctl -n "__fish_walletctl_using_subcommand tx; and not __fish_seen_subcommand_from list show reverse" -l tz -d 'Zone of dates, by its IANA name; UTC unless the context says otherwise' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand tx; and not __fish_seen_subcommand_from list show reverse" -l context -d 'Context to use' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand tx; and not __fish_seen_subcommand_from list show reverse" -l socket -d 'Socket of the daemon' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand tx; and not __fish_seen_subcommand_from list show reverse" -l url -d 'Address of the daemon: https://, or http:// and a loopback address' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand tx; and not __fish_seen_subcommand_from list show reverse" -s v -l verbose -d 'Say on stderr which trace the requests are part of (the one TRACEPARENT names, or a new one)'
complete -c walletctl -n "__fish_walletctl_using_subcommand tx; and not __fish_seen_subcommand_from list show reverse" -s h -l help -d 'Print help'
complete -c walletctl -n "__fish_walletctl_using_subcommand tx; and not __fish_seen_subcommand_from list show reverse" -f -a "list" -d 'List transactions, newest recorded first'
complete -c walletctl -n "__fish_walletctl_using_subcommand tx; and not __fish_seen_subcommand_from list show reverse" -f -a "show" -d 'Show one transaction, by its id or by its key'
complete -c walletctl -n "__fish_walletctl_using_subcommand tx; and not __fish_seen_subcommand_from list show reverse" -f -a "reverse" -d 'Undo a transaction by its opposite, once'
complete -c walletctl -n "__fish_walletctl_using_subcommand tx; and __fish_seen_subcommand_from list" -l wallet -d 'Only of this wallet' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand tx; and __fish_seen_subcommand_from list" -l kind -d 'Only of this kind' -r -f -a "deposit\t''
withdrawal\t''
transfer\t''
reversal\t''"
complete -c walletctl -n "__fish_walletctl_using_subcommand tx; and __fish_seen_subcommand_from list" -l from -d 'Only recorded at or after: a date (its start) or an instant' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand tx; and __fish_seen_subcommand_from list" -l to -d 'Only recorded at or before: a date (its close) or an instant' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand tx; and __fish_seen_subcommand_from list" -l limit -d 'At most so many' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand tx; and __fish_seen_subcommand_from list" -s o -l output -d 'Form of the result on stdout: table, json, ndjson or csv' -r -f -a "table\t'Columns for people'
json\t'One envelope with schema, data and meta'
ndjson\t'One flat object a line'
csv\t'A header and one flat row a line'"
complete -c walletctl -n "__fish_walletctl_using_subcommand tx; and __fish_seen_subcommand_from list" -l fields -d 'Columns to show, separated by commas' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand tx; and __fish_seen_subcommand_from list" -l color -d 'When to use colour: auto, always or never' -r -f -a "auto\t'At a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c walletctl -n "__fish_walletctl_using_subcommand tx; and __fish_seen_subcommand_from list" -l tz -d 'Zone of dates, by its IANA name; UTC unless the context says otherwise' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand tx; and __fish_seen_subcommand_from list" -l context -d 'Context to use' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand tx; and __fish_seen_subcommand_from list" -l socket -d 'Socket of the daemon' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand tx; and __fish_seen_subcommand_from list" -l url -d 'Address of the daemon: https://, or http:// and a loopback address' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand tx; and __fish_seen_subcommand_from list" -l all -d 'All of them'
complete -c walletctl -n "__fish_walletctl_using_subcommand tx; and __fish_seen_subcommand_from list" -s v -l verbose -d 'Say on stderr which trace the requests are part of (the one TRACEPARENT names, or a new one)'
complete -c walletctl -n "__fish_walletctl_using_subcommand tx; and __fish_seen_subcommand_from list" -s h -l help -d 'Print help'
complete -c walletctl -n "__fish_walletctl_using_subcommand tx; and __fish_seen_subcommand_from show" -l key -d 'Its idempotency key' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand tx; and __fish_seen_subcommand_from show" -s o -l output -d 'Form of the result on stdout: table, json, ndjson or csv' -r -f -a "table\t'Columns for people'
json\t'One envelope with schema, data and meta'
ndjson\t'One flat object a line'
csv\t'A header and one flat row a line'"
complete -c walletctl -n "__fish_walletctl_using_subcommand tx; and __fish_seen_subcommand_from show" -l fields -d 'Columns to show, separated by commas' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand tx; and __fish_seen_subcommand_from show" -l color -d 'When to use colour: auto, always or never' -r -f -a "auto\t'At a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c walletctl -n "__fish_walletctl_using_subcommand tx; and __fish_seen_subcommand_from show" -l tz -d 'Zone of dates, by its IANA name; UTC unless the context says otherwise' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand tx; and __fish_seen_subcommand_from show" -l context -d 'Context to use' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand tx; and __fish_seen_subcommand_from show" -l socket -d 'Socket of the daemon' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand tx; and __fish_seen_subcommand_from show" -l url -d 'Address of the daemon: https://, or http:// and a loopback address' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand tx; and __fish_seen_subcommand_from show" -s v -l verbose -d 'Say on stderr which trace the requests are part of (the one TRACEPARENT names, or a new one)'
complete -c walletctl -n "__fish_walletctl_using_subcommand tx; and __fish_seen_subcommand_from show" -s h -l help -d 'Print help'
complete -c walletctl -n "__fish_walletctl_using_subcommand tx; and __fish_seen_subcommand_from reverse" -l effective-at -d 'When it counts, not before the original: a date (its first instant) or an instant; now when left out' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand tx; and __fish_seen_subcommand_from reverse" -l memo -d 'A note' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand tx; and __fish_seen_subcommand_from reverse" -l idempotency-key -d 'What makes it happen at most once: the same key and content again gives the first answer again. Made at a terminal; required without one' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand tx; and __fish_seen_subcommand_from reverse" -s o -l output -d 'Form of the result on stdout: table, json, ndjson or csv' -r -f -a "table\t'Columns for people'
json\t'One envelope with schema, data and meta'
ndjson\t'One flat object a line'
csv\t'A header and one flat row a line'"
complete -c walletctl -n "__fish_walletctl_using_subcommand tx; and __fish_seen_subcommand_from reverse" -l fields -d 'Columns to show, separated by commas' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand tx; and __fish_seen_subcommand_from reverse" -l color -d 'When to use colour: auto, always or never' -r -f -a "auto\t'At a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c walletctl -n "__fish_walletctl_using_subcommand tx; and __fish_seen_subcommand_from reverse" -l tz -d 'Zone of dates, by its IANA name; UTC unless the context says otherwise' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand tx; and __fish_seen_subcommand_from reverse" -l context -d 'Context to use' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand tx; and __fish_seen_subcommand_from reverse" -l socket -d 'Socket of the daemon' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand tx; and __fish_seen_subcommand_from reverse" -l url -d 'Address of the daemon: https://, or http:// and a loopback address' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand tx; and __fish_seen_subcommand_from reverse" -l allow-negative -d 'Let the paying wallet go below its limit'
complete -c walletctl -n "__fish_walletctl_using_subcommand tx; and __fish_seen_subcommand_from reverse" -s y -l yes -d 'Do not ask'
complete -c walletctl -n "__fish_walletctl_using_subcommand tx; and __fish_seen_subcommand_from reverse" -l dry-run -d 'Only ask the daemon what would happen'
complete -c walletctl -n "__fish_walletctl_using_subcommand tx; and __fish_seen_subcommand_from reverse" -s v -l verbose -d 'Say on stderr which trace the requests are part of (the one TRACEPARENT names, or a new one)'
complete -c walletctl -n "__fish_walletctl_using_subcommand tx; and __fish_seen_subcommand_from reverse" -s h -l help -d 'Print help'
complete -c walletctl -n "__fish_walletctl_using_subcommand balance; and not __fish_seen_subcommand_from explain diff" -l asset -d 'With --all-wallets: only those of this asset' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand balance; and not __fish_seen_subcommand_from explain diff" -l at -d 'The moment: a date (its close) or an instant; now when left out' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand balance; and not __fish_seen_subcommand_from explain diff" -l known-at -d 'As known then: a date (its close), an instant, or a record\'s number; all that is known when left out' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand balance; and not __fish_seen_subcommand_from explain diff" -l from -d 'Balances over time: from this date (its start) or instant' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand balance; and not __fish_seen_subcommand_from explain diff" -l to -d 'Balances over time: to this date (its close) or instant; now when left out' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand balance; and not __fish_seen_subcommand_from explain diff" -l every -d 'Balances over time: at the close of every hour, day, week or month' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand balance; and not __fish_seen_subcommand_from explain diff" -l min-seq -d 'The answer must know this record: read your writes' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand balance; and not __fish_seen_subcommand_from explain diff" -s o -l output -d 'Form of the result on stdout: table, json, ndjson or csv' -r -f -a "table\t'Columns for people'
json\t'One envelope with schema, data and meta'
ndjson\t'One flat object a line'
csv\t'A header and one flat row a line'"
complete -c walletctl -n "__fish_walletctl_using_subcommand balance; and not __fish_seen_subcommand_from explain diff" -l fields -d 'Columns to show, separated by commas' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand balance; and not __fish_seen_subcommand_from explain diff" -l color -d 'When to use colour: auto, always or never' -r -f -a "auto\t'At a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c walletctl -n "__fish_walletctl_using_subcommand balance; and not __fish_seen_subcommand_from explain diff" -l tz -d 'Zone of dates, by its IANA name; UTC unless the context says otherwise' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand balance; and not __fish_seen_subcommand_from explain diff" -l context -d 'Context to use' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand balance; and not __fish_seen_subcommand_from explain diff" -l socket -d 'Socket of the daemon' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand balance; and not __fish_seen_subcommand_from explain diff" -l url -d 'Address of the daemon: https://, or http:// and a loopback address' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand balance; and not __fish_seen_subcommand_from explain diff" -l all-wallets -d 'All wallets, from one cut of the ledger'
complete -c walletctl -n "__fish_walletctl_using_subcommand balance; and not __fish_seen_subcommand_from explain diff" -l cached -d 'From the cache: quicker, and says how old it may be'
complete -c walletctl -n "__fish_walletctl_using_subcommand balance; and not __fish_seen_subcommand_from explain diff" -s v -l verbose -d 'Say on stderr which trace the requests are part of (the one TRACEPARENT names, or a new one)'
complete -c walletctl -n "__fish_walletctl_using_subcommand balance; and not __fish_seen_subcommand_from explain diff" -s h -l help -d 'Print help'
complete -c walletctl -n "__fish_walletctl_using_subcommand balance; and not __fish_seen_subcommand_from explain diff" -a "explain" -d 'Say what a balance is made of: how many movements of each kind, and what is known but not in it'
complete -c walletctl -n "__fish_walletctl_using_subcommand balance; and not __fish_seen_subcommand_from explain diff" -a "diff" -d 'List what makes the difference between two balances: at two moments, or as known at two'
complete -c walletctl -n "__fish_walletctl_using_subcommand balance; and __fish_seen_subcommand_from explain" -l at -d 'The moment: a date (its close) or an instant; now when left out' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand balance; and __fish_seen_subcommand_from explain" -l known-at -d 'As known then: a date (its close), an instant, or a record\'s number; all that is known when left out' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand balance; and __fish_seen_subcommand_from explain" -s o -l output -d 'Form of the result on stdout: table, json, ndjson or csv' -r -f -a "table\t'Columns for people'
json\t'One envelope with schema, data and meta'
ndjson\t'One flat object a line'
csv\t'A header and one flat row a line'"
complete -c walletctl -n "__fish_walletctl_using_subcommand balance; and __fish_seen_subcommand_from explain" -l fields -d 'Columns to show, separated by commas' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand balance; and __fish_seen_subcommand_from explain" -l color -d 'When to use colour: auto, always or never' -r -f -a "auto\t'At a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c walletctl -n "__fish_walletctl_using_subcommand balance; and __fish_seen_subcommand_from explain" -l tz -d 'Zone of dates, by its IANA name; UTC unless the context says otherwise' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand balance; and __fish_seen_subcommand_from explain" -l context -d 'Context to use' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand balance; and __fish_seen_subcommand_from explain" -l socket -d 'Socket of the daemon' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand balance; and __fish_seen_subcommand_from explain" -l url -d 'Address of the daemon: https://, or http:// and a loopback address' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand balance; and __fish_seen_subcommand_from explain" -s v -l verbose -d 'Say on stderr which trace the requests are part of (the one TRACEPARENT names, or a new one)'
complete -c walletctl -n "__fish_walletctl_using_subcommand balance; and __fish_seen_subcommand_from explain" -s h -l help -d 'Print help'
complete -c walletctl -n "__fish_walletctl_using_subcommand balance; and __fish_seen_subcommand_from diff" -l from -d 'The first balance\'s moment: a date (its close) or an instant' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand balance; and __fish_seen_subcommand_from diff" -l to -d 'The second balance\'s moment; now when left out' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand balance; and __fish_seen_subcommand_from diff" -l at -d 'The moment of both; now when left out' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand balance; and __fish_seen_subcommand_from diff" -l known-from -d 'The first balance is as known then: a date (its close), an instant, or a record\'s number' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand balance; and __fish_seen_subcommand_from diff" -l known-to -d 'The second balance is as known then; all that is known when left out' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand balance; and __fish_seen_subcommand_from diff" -l known-at -d 'Both are as known then; all that is known when left out' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand balance; and __fish_seen_subcommand_from diff" -l limit -d 'At most so many' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand balance; and __fish_seen_subcommand_from diff" -s o -l output -d 'Form of the result on stdout: table, json, ndjson or csv' -r -f -a "table\t'Columns for people'
json\t'One envelope with schema, data and meta'
ndjson\t'One flat object a line'
csv\t'A header and one flat row a line'"
complete -c walletctl -n "__fish_walletctl_using_subcommand balance; and __fish_seen_subcommand_from diff" -l fields -d 'Columns to show, separated by commas' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand balance; and __fish_seen_subcommand_from diff" -l color -d 'When to use colour: auto, always or never' -r -f -a "auto\t'At a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c walletctl -n "__fish_walletctl_using_subcommand balance; and __fish_seen_subcommand_from diff" -l tz -d 'Zone of dates, by its IANA name; UTC unless the context says otherwise' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand balance; and __fish_seen_subcommand_from diff" -l context -d 'Context to use' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand balance; and __fish_seen_subcommand_from diff" -l socket -d 'Socket of the daemon' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand balance; and __fish_seen_subcommand_from diff" -l url -d 'Address of the daemon: https://, or http:// and a loopback address' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand balance; and __fish_seen_subcommand_from diff" -l all -d 'All of them'
complete -c walletctl -n "__fish_walletctl_using_subcommand balance; and __fish_seen_subcommand_from diff" -s v -l verbose -d 'Say on stderr which trace the requests are part of (the one TRACEPARENT names, or a new one)'
complete -c walletctl -n "__fish_walletctl_using_subcommand balance; and __fish_seen_subcommand_from diff" -s h -l help -d 'Print help'
complete -c walletctl -n "__fish_walletctl_using_subcommand statement" -l from -d 'Start: a date (its first instant) or an instant' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand statement" -l to -d 'End: a date (its close) or an instant; now when left out' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand statement" -l known-at -d 'As known then: a date (its close), an instant, or a record\'s number; all that is known when left out' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand statement" -l limit -d 'At most so many' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand statement" -s o -l output -d 'Form of the result on stdout: table, json, ndjson or csv' -r -f -a "table\t'Columns for people'
json\t'One envelope with schema, data and meta'
ndjson\t'One flat object a line'
csv\t'A header and one flat row a line'"
complete -c walletctl -n "__fish_walletctl_using_subcommand statement" -l fields -d 'Columns to show, separated by commas' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand statement" -l color -d 'When to use colour: auto, always or never' -r -f -a "auto\t'At a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c walletctl -n "__fish_walletctl_using_subcommand statement" -l tz -d 'Zone of dates, by its IANA name; UTC unless the context says otherwise' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand statement" -l context -d 'Context to use' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand statement" -l socket -d 'Socket of the daemon' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand statement" -l url -d 'Address of the daemon: https://, or http:// and a loopback address' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand statement" -l all -d 'All of them'
complete -c walletctl -n "__fish_walletctl_using_subcommand statement" -s v -l verbose -d 'Say on stderr which trace the requests are part of (the one TRACEPARENT names, or a new one)'
complete -c walletctl -n "__fish_walletctl_using_subcommand statement" -s h -l help -d 'Print help'
complete -c walletctl -n "__fish_walletctl_using_subcommand batch; and not __fish_seen_subcommand_from validate run status resume report" -s o -l output -d 'Form of the result on stdout: table, json, ndjson or csv' -r -f -a "table\t'Columns for people'
json\t'One envelope with schema, data and meta'
ndjson\t'One flat object a line'
csv\t'A header and one flat row a line'"
complete -c walletctl -n "__fish_walletctl_using_subcommand batch; and not __fish_seen_subcommand_from validate run status resume report" -l fields -d 'Columns to show, separated by commas' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand batch; and not __fish_seen_subcommand_from validate run status resume report" -l color -d 'When to use colour: auto, always or never' -r -f -a "auto\t'At a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c walletctl -n "__fish_walletctl_using_subcommand batch; and not __fish_seen_subcommand_from validate run status resume report" -l tz -d 'Zone of dates, by its IANA name; UTC unless the context says otherwise' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand batch; and not __fish_seen_subcommand_from validate run status resume report" -l context -d 'Context to use' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand batch; and not __fish_seen_subcommand_from validate run status resume report" -l socket -d 'Socket of the daemon' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand batch; and not __fish_seen_subcommand_from validate run status resume report" -l url -d 'Address of the daemon: https://, or http:// and a loopback address' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand batch; and not __fish_seen_subcommand_from validate run status resume report" -s v -l verbose -d 'Say on stderr which trace the requests are part of (the one TRACEPARENT names, or a new one)'
complete -c walletctl -n "__fish_walletctl_using_subcommand batch; and not __fish_seen_subcommand_from validate run status resume report" -s h -l help -d 'Print help'
complete -c walletctl -n "__fish_walletctl_using_subcommand batch; and not __fish_seen_subcommand_from validate run status resume report" -f -a "validate" -d 'Check a batch file without sending anything'
complete -c walletctl -n "__fish_walletctl_using_subcommand batch; and not __fish_seen_subcommand_from validate run status resume report" -f -a "run" -d 'Check a batch file, send its rows, and keep every row\'s outcome'
complete -c walletctl -n "__fish_walletctl_using_subcommand batch; and not __fish_seen_subcommand_from validate run status resume report" -f -a "status" -d 'Show how far a batch is, without sending anything'
complete -c walletctl -n "__fish_walletctl_using_subcommand batch; and not __fish_seen_subcommand_from validate run status resume report" -f -a "resume" -d 'Send what is not final: rows not attempted, and rows whose answer was lost'
complete -c walletctl -n "__fish_walletctl_using_subcommand batch; and not __fish_seen_subcommand_from validate run status resume report" -f -a "report" -d 'List a batch\'s outcomes, or write the rows that failed to a file that can be run again'
complete -c walletctl -n "__fish_walletctl_using_subcommand batch; and __fish_seen_subcommand_from validate" -l format -d 'Its format; by its name when left out (.ndjson and .jsonl are NDJSON)' -r -f -a "csv\t'Comma-separated values, header by name'
ndjson\t'One JSON object a line'"
complete -c walletctl -n "__fish_walletctl_using_subcommand batch; and __fish_seen_subcommand_from validate" -l max-total -d 'Refuse a file whose rows of this asset add up to more (repeatable)' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand batch; and __fish_seen_subcommand_from validate" -s o -l output -d 'Form of the result on stdout: table, json, ndjson or csv' -r -f -a "table\t'Columns for people'
json\t'One envelope with schema, data and meta'
ndjson\t'One flat object a line'
csv\t'A header and one flat row a line'"
complete -c walletctl -n "__fish_walletctl_using_subcommand batch; and __fish_seen_subcommand_from validate" -l fields -d 'Columns to show, separated by commas' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand batch; and __fish_seen_subcommand_from validate" -l color -d 'When to use colour: auto, always or never' -r -f -a "auto\t'At a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c walletctl -n "__fish_walletctl_using_subcommand batch; and __fish_seen_subcommand_from validate" -l tz -d 'Zone of dates, by its IANA name; UTC unless the context says otherwise' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand batch; and __fish_seen_subcommand_from validate" -l context -d 'Context to use' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand batch; and __fish_seen_subcommand_from validate" -l socket -d 'Socket of the daemon' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand batch; and __fish_seen_subcommand_from validate" -l url -d 'Address of the daemon: https://, or http:// and a loopback address' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand batch; and __fish_seen_subcommand_from validate" -s v -l verbose -d 'Say on stderr which trace the requests are part of (the one TRACEPARENT names, or a new one)'
complete -c walletctl -n "__fish_walletctl_using_subcommand batch; and __fish_seen_subcommand_from validate" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c walletctl -n "__fish_walletctl_using_subcommand batch; and __fish_seen_subcommand_from run" -l format -d 'Its format; by its name when left out (.ndjson and .jsonl are NDJSON)' -r -f -a "csv\t'Comma-separated values, header by name'
ndjson\t'One JSON object a line'"
complete -c walletctl -n "__fish_walletctl_using_subcommand batch; and __fish_seen_subcommand_from run" -l max-total -d 'Refuse a file whose rows of this asset add up to more (repeatable)' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand batch; and __fish_seen_subcommand_from run" -l on-error -d 'After a row is refused' -r -f -a "continue\t'Go on with the next row'
stop\t'Leave the rows behind it untried'"
complete -c walletctl -n "__fish_walletctl_using_subcommand batch; and __fish_seen_subcommand_from run" -l sort -d 'In which order rows run' -r -f -a "file\t'As they stand in the file'
effective_at\t'By `effective_at`; rows without one come last. For files that are newest first'"
complete -c walletctl -n "__fish_walletctl_using_subcommand batch; and __fish_seen_subcommand_from run" -l chunk -d 'Rows of one request' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand batch; and __fish_seen_subcommand_from run" -l results -d 'Results file, instead of the one in the state directory' -r -F
complete -c walletctl -n "__fish_walletctl_using_subcommand batch; and __fish_seen_subcommand_from run" -l retry-for -d 'How long to send a request again while the daemon does not answer' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand batch; and __fish_seen_subcommand_from run" -s o -l output -d 'Form of the result on stdout: table, json, ndjson or csv' -r -f -a "table\t'Columns for people'
json\t'One envelope with schema, data and meta'
ndjson\t'One flat object a line'
csv\t'A header and one flat row a line'"
complete -c walletctl -n "__fish_walletctl_using_subcommand batch; and __fish_seen_subcommand_from run" -l fields -d 'Columns to show, separated by commas' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand batch; and __fish_seen_subcommand_from run" -l color -d 'When to use colour: auto, always or never' -r -f -a "auto\t'At a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c walletctl -n "__fish_walletctl_using_subcommand batch; and __fish_seen_subcommand_from run" -l tz -d 'Zone of dates, by its IANA name; UTC unless the context says otherwise' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand batch; and __fish_seen_subcommand_from run" -l context -d 'Context to use' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand batch; and __fish_seen_subcommand_from run" -l socket -d 'Socket of the daemon' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand batch; and __fish_seen_subcommand_from run" -l url -d 'Address of the daemon: https://, or http:// and a loopback address' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand batch; and __fish_seen_subcommand_from run" -l atomic -d 'All rows or none, as one request of at most 5,000 rows'
complete -c walletctl -n "__fish_walletctl_using_subcommand batch; and __fish_seen_subcommand_from run" -l again -d 'Ask for every row again, refused ones included; what happened replays'
complete -c walletctl -n "__fish_walletctl_using_subcommand batch; and __fish_seen_subcommand_from run" -l dry-run -d 'Only ask what would happen (at most 5,000 rows)'
complete -c walletctl -n "__fish_walletctl_using_subcommand batch; and __fish_seen_subcommand_from run" -s y -l yes -d 'Go on without a question'
complete -c walletctl -n "__fish_walletctl_using_subcommand batch; and __fish_seen_subcommand_from run" -s v -l verbose -d 'Say on stderr which trace the requests are part of (the one TRACEPARENT names, or a new one)'
complete -c walletctl -n "__fish_walletctl_using_subcommand batch; and __fish_seen_subcommand_from run" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c walletctl -n "__fish_walletctl_using_subcommand batch; and __fish_seen_subcommand_from status" -l format -d 'Its format; by its name when left out (.ndjson and .jsonl are NDJSON)' -r -f -a "csv\t'Comma-separated values, header by name'
ndjson\t'One JSON object a line'"
complete -c walletctl -n "__fish_walletctl_using_subcommand batch; and __fish_seen_subcommand_from status" -l results -d 'Results file, instead of the one in the state directory' -r -F
complete -c walletctl -n "__fish_walletctl_using_subcommand batch; and __fish_seen_subcommand_from status" -s o -l output -d 'Form of the result on stdout: table, json, ndjson or csv' -r -f -a "table\t'Columns for people'
json\t'One envelope with schema, data and meta'
ndjson\t'One flat object a line'
csv\t'A header and one flat row a line'"
complete -c walletctl -n "__fish_walletctl_using_subcommand batch; and __fish_seen_subcommand_from status" -l fields -d 'Columns to show, separated by commas' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand batch; and __fish_seen_subcommand_from status" -l color -d 'When to use colour: auto, always or never' -r -f -a "auto\t'At a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c walletctl -n "__fish_walletctl_using_subcommand batch; and __fish_seen_subcommand_from status" -l tz -d 'Zone of dates, by its IANA name; UTC unless the context says otherwise' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand batch; and __fish_seen_subcommand_from status" -l context -d 'Context to use' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand batch; and __fish_seen_subcommand_from status" -l socket -d 'Socket of the daemon' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand batch; and __fish_seen_subcommand_from status" -l url -d 'Address of the daemon: https://, or http:// and a loopback address' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand batch; and __fish_seen_subcommand_from status" -s v -l verbose -d 'Say on stderr which trace the requests are part of (the one TRACEPARENT names, or a new one)'
complete -c walletctl -n "__fish_walletctl_using_subcommand batch; and __fish_seen_subcommand_from status" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c walletctl -n "__fish_walletctl_using_subcommand batch; and __fish_seen_subcommand_from resume" -l format -d 'Its format; by its name when left out (.ndjson and .jsonl are NDJSON)' -r -f -a "csv\t'Comma-separated values, header by name'
ndjson\t'One JSON object a line'"
complete -c walletctl -n "__fish_walletctl_using_subcommand batch; and __fish_seen_subcommand_from resume" -l results -d 'Results file, instead of the one in the state directory' -r -F
complete -c walletctl -n "__fish_walletctl_using_subcommand batch; and __fish_seen_subcommand_from resume" -l retry-for -d 'How long to send a request again while the daemon does not answer' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand batch; and __fish_seen_subcommand_from resume" -s o -l output -d 'Form of the result on stdout: table, json, ndjson or csv' -r -f -a "table\t'Columns for people'
json\t'One envelope with schema, data and meta'
ndjson\t'One flat object a line'
csv\t'A header and one flat row a line'"
complete -c walletctl -n "__fish_walletctl_using_subcommand batch; and __fish_seen_subcommand_from resume" -l fields -d 'Columns to show, separated by commas' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand batch; and __fish_seen_subcommand_from resume" -l color -d 'When to use colour: auto, always or never' -r -f -a "auto\t'At a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c walletctl -n "__fish_walletctl_using_subcommand batch; and __fish_seen_subcommand_from resume" -l tz -d 'Zone of dates, by its IANA name; UTC unless the context says otherwise' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand batch; and __fish_seen_subcommand_from resume" -l context -d 'Context to use' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand batch; and __fish_seen_subcommand_from resume" -l socket -d 'Socket of the daemon' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand batch; and __fish_seen_subcommand_from resume" -l url -d 'Address of the daemon: https://, or http:// and a loopback address' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand batch; and __fish_seen_subcommand_from resume" -s y -l yes -d 'Go on without a question'
complete -c walletctl -n "__fish_walletctl_using_subcommand batch; and __fish_seen_subcommand_from resume" -s v -l verbose -d 'Say on stderr which trace the requests are part of (the one TRACEPARENT names, or a new one)'
complete -c walletctl -n "__fish_walletctl_using_subcommand batch; and __fish_seen_subcommand_from resume" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c walletctl -n "__fish_walletctl_using_subcommand batch; and __fish_seen_subcommand_from report" -l format -d 'Its format; by its name when left out (.ndjson and .jsonl are NDJSON)' -r -f -a "csv\t'Comma-separated values, header by name'
ndjson\t'One JSON object a line'"
complete -c walletctl -n "__fish_walletctl_using_subcommand batch; and __fish_seen_subcommand_from report" -l results -d 'Results file, instead of the one in the state directory' -r -F
complete -c walletctl -n "__fish_walletctl_using_subcommand batch; and __fish_seen_subcommand_from report" -l out -d 'Write the rows themselves to this file, as they stand in the batch file' -r -F
complete -c walletctl -n "__fish_walletctl_using_subcommand batch; and __fish_seen_subcommand_from report" -s o -l output -d 'Form of the result on stdout: table, json, ndjson or csv' -r -f -a "table\t'Columns for people'
json\t'One envelope with schema, data and meta'
ndjson\t'One flat object a line'
csv\t'A header and one flat row a line'"
complete -c walletctl -n "__fish_walletctl_using_subcommand batch; and __fish_seen_subcommand_from report" -l fields -d 'Columns to show, separated by commas' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand batch; and __fish_seen_subcommand_from report" -l color -d 'When to use colour: auto, always or never' -r -f -a "auto\t'At a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c walletctl -n "__fish_walletctl_using_subcommand batch; and __fish_seen_subcommand_from report" -l tz -d 'Zone of dates, by its IANA name; UTC unless the context says otherwise' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand batch; and __fish_seen_subcommand_from report" -l context -d 'Context to use' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand batch; and __fish_seen_subcommand_from report" -l socket -d 'Socket of the daemon' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand batch; and __fish_seen_subcommand_from report" -l url -d 'Address of the daemon: https://, or http:// and a loopback address' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand batch; and __fish_seen_subcommand_from report" -l failed -d 'Only rows that were refused or in conflict'
complete -c walletctl -n "__fish_walletctl_using_subcommand batch; and __fish_seen_subcommand_from report" -l force -d 'Replace the file if it is there'
complete -c walletctl -n "__fish_walletctl_using_subcommand batch; and __fish_seen_subcommand_from report" -s v -l verbose -d 'Say on stderr which trace the requests are part of (the one TRACEPARENT names, or a new one)'
complete -c walletctl -n "__fish_walletctl_using_subcommand batch; and __fish_seen_subcommand_from report" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c walletctl -n "__fish_walletctl_using_subcommand export; and not __fish_seen_subcommand_from balances transactions journal verify" -s o -l output -d 'Form of the result on stdout: table, json, ndjson or csv' -r -f -a "table\t'Columns for people'
json\t'One envelope with schema, data and meta'
ndjson\t'One flat object a line'
csv\t'A header and one flat row a line'"
complete -c walletctl -n "__fish_walletctl_using_subcommand export; and not __fish_seen_subcommand_from balances transactions journal verify" -l fields -d 'Columns to show, separated by commas' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand export; and not __fish_seen_subcommand_from balances transactions journal verify" -l color -d 'When to use colour: auto, always or never' -r -f -a "auto\t'At a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c walletctl -n "__fish_walletctl_using_subcommand export; and not __fish_seen_subcommand_from balances transactions journal verify" -l tz -d 'Zone of dates, by its IANA name; UTC unless the context says otherwise' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand export; and not __fish_seen_subcommand_from balances transactions journal verify" -l context -d 'Context to use' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand export; and not __fish_seen_subcommand_from balances transactions journal verify" -l socket -d 'Socket of the daemon' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand export; and not __fish_seen_subcommand_from balances transactions journal verify" -l url -d 'Address of the daemon: https://, or http:// and a loopback address' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand export; and not __fish_seen_subcommand_from balances transactions journal verify" -s v -l verbose -d 'Say on stderr which trace the requests are part of (the one TRACEPARENT names, or a new one)'
complete -c walletctl -n "__fish_walletctl_using_subcommand export; and not __fish_seen_subcommand_from balances transactions journal verify" -s h -l help -d 'Print help'
complete -c walletctl -n "__fish_walletctl_using_subcommand export; and not __fish_seen_subcommand_from balances transactions journal verify" -f -a "balances" -d 'Write what all wallets hold, at a moment or over time'
complete -c walletctl -n "__fish_walletctl_using_subcommand export; and not __fish_seen_subcommand_from balances transactions journal verify" -f -a "transactions" -d 'Write transactions'
complete -c walletctl -n "__fish_walletctl_using_subcommand export; and not __fish_seen_subcommand_from balances transactions journal verify" -f -a "journal" -d 'Write the journal: its records and hashes, or a plain-text journal for hledger'
complete -c walletctl -n "__fish_walletctl_using_subcommand export; and not __fish_seen_subcommand_from balances transactions journal verify" -f -a "verify" -d 'Check an export against its manifest, and a journal\'s chain of hashes'
complete -c walletctl -n "__fish_walletctl_using_subcommand export; and __fish_seen_subcommand_from balances" -l at -d 'The moment: a date (its close) or an instant; now when left out' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand export; and __fish_seen_subcommand_from balances" -l from -d 'Over time: from this date (its start) or instant' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand export; and __fish_seen_subcommand_from balances" -l to -d 'Over time: to this date (its close) or instant; now when left out' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand export; and __fish_seen_subcommand_from balances" -l every -d 'Over time: at the close of every hour, day, week or month' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand export; and __fish_seen_subcommand_from balances" -l known-at -d 'As known then: a date (its close), an instant, or a record\'s number' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand export; and __fish_seen_subcommand_from balances" -l asset -d 'Only wallets of this asset' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand export; and __fish_seen_subcommand_from balances" -l format -d 'Form of the file' -r -f -a "csv\t'A header and one row a line'
json\t'One envelope with schema, data and meta'
ndjson\t'One object a line'
hledger\t'A journal for hledger and ledger'"
complete -c walletctl -n "__fish_walletctl_using_subcommand export; and __fish_seen_subcommand_from balances" -l out -d 'The file; its manifest is FILE.manifest.json' -r -F
complete -c walletctl -n "__fish_walletctl_using_subcommand export; and __fish_seen_subcommand_from balances" -s o -l output -d 'Form of the result on stdout: table, json, ndjson or csv' -r -f -a "table\t'Columns for people'
json\t'One envelope with schema, data and meta'
ndjson\t'One flat object a line'
csv\t'A header and one flat row a line'"
complete -c walletctl -n "__fish_walletctl_using_subcommand export; and __fish_seen_subcommand_from balances" -l fields -d 'Columns to show, separated by commas' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand export; and __fish_seen_subcommand_from balances" -l color -d 'When to use colour: auto, always or never' -r -f -a "auto\t'At a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c walletctl -n "__fish_walletctl_using_subcommand export; and __fish_seen_subcommand_from balances" -l tz -d 'Zone of dates, by its IANA name; UTC unless the context says otherwise' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand export; and __fish_seen_subcommand_from balances" -l context -d 'Context to use' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand export; and __fish_seen_subcommand_from balances" -l socket -d 'Socket of the daemon' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand export; and __fish_seen_subcommand_from balances" -l url -d 'Address of the daemon: https://, or http:// and a loopback address' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand export; and __fish_seen_subcommand_from balances" -l force -d 'Replace the file if it is there'
complete -c walletctl -n "__fish_walletctl_using_subcommand export; and __fish_seen_subcommand_from balances" -s v -l verbose -d 'Say on stderr which trace the requests are part of (the one TRACEPARENT names, or a new one)'
complete -c walletctl -n "__fish_walletctl_using_subcommand export; and __fish_seen_subcommand_from balances" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c walletctl -n "__fish_walletctl_using_subcommand export; and __fish_seen_subcommand_from transactions" -l from -d 'Only recorded at or after: a date (its start) or an instant' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand export; and __fish_seen_subcommand_from transactions" -l to -d 'Only recorded at or before: a date (its close) or an instant' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand export; and __fish_seen_subcommand_from transactions" -l wallet -d 'Only of this wallet' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand export; and __fish_seen_subcommand_from transactions" -l known-at -d 'As known then: a date (its close), an instant, or a record\'s number' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand export; and __fish_seen_subcommand_from transactions" -l format -d 'Form of the file' -r -f -a "csv\t'A header and one row a line'
json\t'One envelope with schema, data and meta'
ndjson\t'One object a line'
hledger\t'A journal for hledger and ledger'"
complete -c walletctl -n "__fish_walletctl_using_subcommand export; and __fish_seen_subcommand_from transactions" -l out -d 'The file; its manifest is FILE.manifest.json' -r -F
complete -c walletctl -n "__fish_walletctl_using_subcommand export; and __fish_seen_subcommand_from transactions" -s o -l output -d 'Form of the result on stdout: table, json, ndjson or csv' -r -f -a "table\t'Columns for people'
json\t'One envelope with schema, data and meta'
ndjson\t'One flat object a line'
csv\t'A header and one flat row a line'"
complete -c walletctl -n "__fish_walletctl_using_subcommand export; and __fish_seen_subcommand_from transactions" -l fields -d 'Columns to show, separated by commas' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand export; and __fish_seen_subcommand_from transactions" -l color -d 'When to use colour: auto, always or never' -r -f -a "auto\t'At a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c walletctl -n "__fish_walletctl_using_subcommand export; and __fish_seen_subcommand_from transactions" -l tz -d 'Zone of dates, by its IANA name; UTC unless the context says otherwise' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand export; and __fish_seen_subcommand_from transactions" -l context -d 'Context to use' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand export; and __fish_seen_subcommand_from transactions" -l socket -d 'Socket of the daemon' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand export; and __fish_seen_subcommand_from transactions" -l url -d 'Address of the daemon: https://, or http:// and a loopback address' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand export; and __fish_seen_subcommand_from transactions" -l force -d 'Replace the file if it is there'
complete -c walletctl -n "__fish_walletctl_using_subcommand export; and __fish_seen_subcommand_from transactions" -s v -l verbose -d 'Say on stderr which trace the requests are part of (the one TRACEPARENT names, or a new one)'
complete -c walletctl -n "__fish_walletctl_using_subcommand export; and __fish_seen_subcommand_from transactions" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c walletctl -n "__fish_walletctl_using_subcommand export; and __fish_seen_subcommand_from journal" -l after -d 'Only records behind this one' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand export; and __fish_seen_subcommand_from journal" -l known-at -d 'As known then: a date (its close), an instant, or a record\'s number' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand export; and __fish_seen_subcommand_from journal" -l format -d 'Form of the file' -r -f -a "csv\t'A header and one row a line'
json\t'One envelope with schema, data and meta'
ndjson\t'One object a line'
hledger\t'A journal for hledger and ledger'"
complete -c walletctl -n "__fish_walletctl_using_subcommand export; and __fish_seen_subcommand_from journal" -l out -d 'The file; its manifest is FILE.manifest.json' -r -F
complete -c walletctl -n "__fish_walletctl_using_subcommand export; and __fish_seen_subcommand_from journal" -s o -l output -d 'Form of the result on stdout: table, json, ndjson or csv' -r -f -a "table\t'Columns for people'
json\t'One envelope with schema, data and meta'
ndjson\t'One flat object a line'
csv\t'A header and one flat row a line'"
complete -c walletctl -n "__fish_walletctl_using_subcommand export; and __fish_seen_subcommand_from journal" -l fields -d 'Columns to show, separated by commas' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand export; and __fish_seen_subcommand_from journal" -l color -d 'When to use colour: auto, always or never' -r -f -a "auto\t'At a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c walletctl -n "__fish_walletctl_using_subcommand export; and __fish_seen_subcommand_from journal" -l tz -d 'Zone of dates, by its IANA name; UTC unless the context says otherwise' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand export; and __fish_seen_subcommand_from journal" -l context -d 'Context to use' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand export; and __fish_seen_subcommand_from journal" -l socket -d 'Socket of the daemon' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand export; and __fish_seen_subcommand_from journal" -l url -d 'Address of the daemon: https://, or http:// and a loopback address' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand export; and __fish_seen_subcommand_from journal" -l force -d 'Replace the file if it is there'
complete -c walletctl -n "__fish_walletctl_using_subcommand export; and __fish_seen_subcommand_from journal" -s v -l verbose -d 'Say on stderr which trace the requests are part of (the one TRACEPARENT names, or a new one)'
complete -c walletctl -n "__fish_walletctl_using_subcommand export; and __fish_seen_subcommand_from journal" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c walletctl -n "__fish_walletctl_using_subcommand export; and __fish_seen_subcommand_from verify" -s o -l output -d 'Form of the result on stdout: table, json, ndjson or csv' -r -f -a "table\t'Columns for people'
json\t'One envelope with schema, data and meta'
ndjson\t'One flat object a line'
csv\t'A header and one flat row a line'"
complete -c walletctl -n "__fish_walletctl_using_subcommand export; and __fish_seen_subcommand_from verify" -l fields -d 'Columns to show, separated by commas' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand export; and __fish_seen_subcommand_from verify" -l color -d 'When to use colour: auto, always or never' -r -f -a "auto\t'At a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c walletctl -n "__fish_walletctl_using_subcommand export; and __fish_seen_subcommand_from verify" -l tz -d 'Zone of dates, by its IANA name; UTC unless the context says otherwise' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand export; and __fish_seen_subcommand_from verify" -l context -d 'Context to use' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand export; and __fish_seen_subcommand_from verify" -l socket -d 'Socket of the daemon' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand export; and __fish_seen_subcommand_from verify" -l url -d 'Address of the daemon: https://, or http:// and a loopback address' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand export; and __fish_seen_subcommand_from verify" -s v -l verbose -d 'Say on stderr which trace the requests are part of (the one TRACEPARENT names, or a new one)'
complete -c walletctl -n "__fish_walletctl_using_subcommand export; and __fish_seen_subcommand_from verify" -s h -l help -d 'Print help'
complete -c walletctl -n "__fish_walletctl_using_subcommand audit; and not __fish_seen_subcommand_from list verify" -s o -l output -d 'Form of the result on stdout: table, json, ndjson or csv' -r -f -a "table\t'Columns for people'
json\t'One envelope with schema, data and meta'
ndjson\t'One flat object a line'
csv\t'A header and one flat row a line'"
complete -c walletctl -n "__fish_walletctl_using_subcommand audit; and not __fish_seen_subcommand_from list verify" -l fields -d 'Columns to show, separated by commas' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand audit; and not __fish_seen_subcommand_from list verify" -l color -d 'When to use colour: auto, always or never' -r -f -a "auto\t'At a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c walletctl -n "__fish_walletctl_using_subcommand audit; and not __fish_seen_subcommand_from list verify" -l tz -d 'Zone of dates, by its IANA name; UTC unless the context says otherwise' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand audit; and not __fish_seen_subcommand_from list verify" -l context -d 'Context to use' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand audit; and not __fish_seen_subcommand_from list verify" -l socket -d 'Socket of the daemon' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand audit; and not __fish_seen_subcommand_from list verify" -l url -d 'Address of the daemon: https://, or http:// and a loopback address' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand audit; and not __fish_seen_subcommand_from list verify" -s v -l verbose -d 'Say on stderr which trace the requests are part of (the one TRACEPARENT names, or a new one)'
complete -c walletctl -n "__fish_walletctl_using_subcommand audit; and not __fish_seen_subcommand_from list verify" -s h -l help -d 'Print help'
complete -c walletctl -n "__fish_walletctl_using_subcommand audit; and not __fish_seen_subcommand_from list verify" -f -a "list" -d 'List records of the audit trail, newest first'
complete -c walletctl -n "__fish_walletctl_using_subcommand audit; and not __fish_seen_subcommand_from list verify" -f -a "verify" -d 'Verify every record, balance and hash, and the audit trail against the ledger'
complete -c walletctl -n "__fish_walletctl_using_subcommand audit; and __fish_seen_subcommand_from list" -l wallet -d 'Only about this wallet' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand audit; and __fish_seen_subcommand_from list" -l actor -d 'Only by this actor, for example uid:1000' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand audit; and __fish_seen_subcommand_from list" -l kind -d 'Only of this kind' -r -f -a "deposit\t''
withdrawal\t''
transfer\t''
reversal\t''
wallet_opened\t''
wallet_frozen\t''
wallet_unfrozen\t''
wallet_closed\t''
limit_changed\t''
asset_registered\t''
sign_in_refused\t''
access_forbidden\t''
configuration_reloaded\t''
epoch_raised\t''"
complete -c walletctl -n "__fish_walletctl_using_subcommand audit; and __fish_seen_subcommand_from list" -l request -d 'Only of this request' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand audit; and __fish_seen_subcommand_from list" -l from -d 'Only recorded at or after: a date (its start) or an instant' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand audit; and __fish_seen_subcommand_from list" -l to -d 'Only recorded at or before: a date (its close) or an instant' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand audit; and __fish_seen_subcommand_from list" -l limit -d 'At most so many' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand audit; and __fish_seen_subcommand_from list" -s o -l output -d 'Form of the result on stdout: table, json, ndjson or csv' -r -f -a "table\t'Columns for people'
json\t'One envelope with schema, data and meta'
ndjson\t'One flat object a line'
csv\t'A header and one flat row a line'"
complete -c walletctl -n "__fish_walletctl_using_subcommand audit; and __fish_seen_subcommand_from list" -l fields -d 'Columns to show, separated by commas' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand audit; and __fish_seen_subcommand_from list" -l color -d 'When to use colour: auto, always or never' -r -f -a "auto\t'At a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c walletctl -n "__fish_walletctl_using_subcommand audit; and __fish_seen_subcommand_from list" -l tz -d 'Zone of dates, by its IANA name; UTC unless the context says otherwise' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand audit; and __fish_seen_subcommand_from list" -l context -d 'Context to use' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand audit; and __fish_seen_subcommand_from list" -l socket -d 'Socket of the daemon' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand audit; and __fish_seen_subcommand_from list" -l url -d 'Address of the daemon: https://, or http:// and a loopback address' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand audit; and __fish_seen_subcommand_from list" -l all -d 'All of them'
complete -c walletctl -n "__fish_walletctl_using_subcommand audit; and __fish_seen_subcommand_from list" -s v -l verbose -d 'Say on stderr which trace the requests are part of (the one TRACEPARENT names, or a new one)'
complete -c walletctl -n "__fish_walletctl_using_subcommand audit; and __fish_seen_subcommand_from list" -s h -l help -d 'Print help'
complete -c walletctl -n "__fish_walletctl_using_subcommand audit; and __fish_seen_subcommand_from verify" -l cut -d 'A cut that was written down: proves that nothing up to it was changed or cut off' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand audit; and __fish_seen_subcommand_from verify" -s o -l output -d 'Form of the result on stdout: table, json, ndjson or csv' -r -f -a "table\t'Columns for people'
json\t'One envelope with schema, data and meta'
ndjson\t'One flat object a line'
csv\t'A header and one flat row a line'"
complete -c walletctl -n "__fish_walletctl_using_subcommand audit; and __fish_seen_subcommand_from verify" -l fields -d 'Columns to show, separated by commas' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand audit; and __fish_seen_subcommand_from verify" -l color -d 'When to use colour: auto, always or never' -r -f -a "auto\t'At a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c walletctl -n "__fish_walletctl_using_subcommand audit; and __fish_seen_subcommand_from verify" -l tz -d 'Zone of dates, by its IANA name; UTC unless the context says otherwise' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand audit; and __fish_seen_subcommand_from verify" -l context -d 'Context to use' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand audit; and __fish_seen_subcommand_from verify" -l socket -d 'Socket of the daemon' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand audit; and __fish_seen_subcommand_from verify" -l url -d 'Address of the daemon: https://, or http:// and a loopback address' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand audit; and __fish_seen_subcommand_from verify" -l stores -d 'Every store that follows the ledger as well: audit trail, events, wallet rows, cached balances'
complete -c walletctl -n "__fish_walletctl_using_subcommand audit; and __fish_seen_subcommand_from verify" -s v -l verbose -d 'Say on stderr which trace the requests are part of (the one TRACEPARENT names, or a new one)'
complete -c walletctl -n "__fish_walletctl_using_subcommand audit; and __fish_seen_subcommand_from verify" -s h -l help -d 'Print help'
complete -c walletctl -n "__fish_walletctl_using_subcommand auth; and not __fish_seen_subcommand_from login logout status token whoami can-i" -s o -l output -d 'Form of the result on stdout: table, json, ndjson or csv' -r -f -a "table\t'Columns for people'
json\t'One envelope with schema, data and meta'
ndjson\t'One flat object a line'
csv\t'A header and one flat row a line'"
complete -c walletctl -n "__fish_walletctl_using_subcommand auth; and not __fish_seen_subcommand_from login logout status token whoami can-i" -l fields -d 'Columns to show, separated by commas' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand auth; and not __fish_seen_subcommand_from login logout status token whoami can-i" -l color -d 'When to use colour: auto, always or never' -r -f -a "auto\t'At a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c walletctl -n "__fish_walletctl_using_subcommand auth; and not __fish_seen_subcommand_from login logout status token whoami can-i" -l tz -d 'Zone of dates, by its IANA name; UTC unless the context says otherwise' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand auth; and not __fish_seen_subcommand_from login logout status token whoami can-i" -l context -d 'Context to use' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand auth; and not __fish_seen_subcommand_from login logout status token whoami can-i" -l socket -d 'Socket of the daemon' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand auth; and not __fish_seen_subcommand_from login logout status token whoami can-i" -l url -d 'Address of the daemon: https://, or http:// and a loopback address' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand auth; and not __fish_seen_subcommand_from login logout status token whoami can-i" -s v -l verbose -d 'Say on stderr which trace the requests are part of (the one TRACEPARENT names, or a new one)'
complete -c walletctl -n "__fish_walletctl_using_subcommand auth; and not __fish_seen_subcommand_from login logout status token whoami can-i" -s h -l help -d 'Print help'
complete -c walletctl -n "__fish_walletctl_using_subcommand auth; and not __fish_seen_subcommand_from login logout status token whoami can-i" -f -a "login" -d 'Sign in: a page is opened in a browser, on this machine or another, and walletctl waits for it'
complete -c walletctl -n "__fish_walletctl_using_subcommand auth; and not __fish_seen_subcommand_from login logout status token whoami can-i" -f -a "logout" -d 'Sign out: the issuer is told to end the sign-in, and nothing of it is kept here'
complete -c walletctl -n "__fish_walletctl_using_subcommand auth; and not __fish_seen_subcommand_from login logout status token whoami can-i" -f -a "status" -d 'Show who is signed in, where, and for how long; asks no server. Exits 4 if nobody is'
complete -c walletctl -n "__fish_walletctl_using_subcommand auth; and not __fish_seen_subcommand_from login logout status token whoami can-i" -f -a "token" -d 'Print an access token, renewed if need be: for other programs that call the daemon'
complete -c walletctl -n "__fish_walletctl_using_subcommand auth; and not __fish_seen_subcommand_from login logout status token whoami can-i" -f -a "whoami" -d 'Show who you are to the daemon, and what you may do'
complete -c walletctl -n "__fish_walletctl_using_subcommand auth; and not __fish_seen_subcommand_from login logout status token whoami can-i" -f -a "can-i" -d 'Ask the daemon whether you may do something. Exits 5 if you may not'
complete -c walletctl -n "__fish_walletctl_using_subcommand auth; and __fish_seen_subcommand_from login" -s o -l output -d 'Form of the result on stdout: table, json, ndjson or csv' -r -f -a "table\t'Columns for people'
json\t'One envelope with schema, data and meta'
ndjson\t'One flat object a line'
csv\t'A header and one flat row a line'"
complete -c walletctl -n "__fish_walletctl_using_subcommand auth; and __fish_seen_subcommand_from login" -l fields -d 'Columns to show, separated by commas' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand auth; and __fish_seen_subcommand_from login" -l color -d 'When to use colour: auto, always or never' -r -f -a "auto\t'At a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c walletctl -n "__fish_walletctl_using_subcommand auth; and __fish_seen_subcommand_from login" -l tz -d 'Zone of dates, by its IANA name; UTC unless the context says otherwise' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand auth; and __fish_seen_subcommand_from login" -l context -d 'Context to use' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand auth; and __fish_seen_subcommand_from login" -l socket -d 'Socket of the daemon' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand auth; and __fish_seen_subcommand_from login" -l url -d 'Address of the daemon: https://, or http:// and a loopback address' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand auth; and __fish_seen_subcommand_from login" -l qr -d 'Show the page\'s address as a QR code too'
complete -c walletctl -n "__fish_walletctl_using_subcommand auth; and __fish_seen_subcommand_from login" -l no-browser -d 'Do not open a browser here'
complete -c walletctl -n "__fish_walletctl_using_subcommand auth; and __fish_seen_subcommand_from login" -l insecure-storage -d 'Keep the tokens in a file of mode 0600, where there is no keyring'
complete -c walletctl -n "__fish_walletctl_using_subcommand auth; and __fish_seen_subcommand_from login" -l with-token -d 'Read an access token from stdin in the place of a sign-in; it cannot be renewed'
complete -c walletctl -n "__fish_walletctl_using_subcommand auth; and __fish_seen_subcommand_from login" -s v -l verbose -d 'Say on stderr which trace the requests are part of (the one TRACEPARENT names, or a new one)'
complete -c walletctl -n "__fish_walletctl_using_subcommand auth; and __fish_seen_subcommand_from login" -s h -l help -d 'Print help'
complete -c walletctl -n "__fish_walletctl_using_subcommand auth; and __fish_seen_subcommand_from logout" -s o -l output -d 'Form of the result on stdout: table, json, ndjson or csv' -r -f -a "table\t'Columns for people'
json\t'One envelope with schema, data and meta'
ndjson\t'One flat object a line'
csv\t'A header and one flat row a line'"
complete -c walletctl -n "__fish_walletctl_using_subcommand auth; and __fish_seen_subcommand_from logout" -l fields -d 'Columns to show, separated by commas' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand auth; and __fish_seen_subcommand_from logout" -l color -d 'When to use colour: auto, always or never' -r -f -a "auto\t'At a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c walletctl -n "__fish_walletctl_using_subcommand auth; and __fish_seen_subcommand_from logout" -l tz -d 'Zone of dates, by its IANA name; UTC unless the context says otherwise' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand auth; and __fish_seen_subcommand_from logout" -l context -d 'Context to use' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand auth; and __fish_seen_subcommand_from logout" -l socket -d 'Socket of the daemon' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand auth; and __fish_seen_subcommand_from logout" -l url -d 'Address of the daemon: https://, or http:// and a loopback address' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand auth; and __fish_seen_subcommand_from logout" -s v -l verbose -d 'Say on stderr which trace the requests are part of (the one TRACEPARENT names, or a new one)'
complete -c walletctl -n "__fish_walletctl_using_subcommand auth; and __fish_seen_subcommand_from logout" -s h -l help -d 'Print help'
complete -c walletctl -n "__fish_walletctl_using_subcommand auth; and __fish_seen_subcommand_from status" -l expires-within -d 'Exit 4 too if the sign-in ends within this time: a number and s, m, h or d' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand auth; and __fish_seen_subcommand_from status" -s o -l output -d 'Form of the result on stdout: table, json, ndjson or csv' -r -f -a "table\t'Columns for people'
json\t'One envelope with schema, data and meta'
ndjson\t'One flat object a line'
csv\t'A header and one flat row a line'"
complete -c walletctl -n "__fish_walletctl_using_subcommand auth; and __fish_seen_subcommand_from status" -l fields -d 'Columns to show, separated by commas' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand auth; and __fish_seen_subcommand_from status" -l color -d 'When to use colour: auto, always or never' -r -f -a "auto\t'At a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c walletctl -n "__fish_walletctl_using_subcommand auth; and __fish_seen_subcommand_from status" -l tz -d 'Zone of dates, by its IANA name; UTC unless the context says otherwise' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand auth; and __fish_seen_subcommand_from status" -l context -d 'Context to use' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand auth; and __fish_seen_subcommand_from status" -l socket -d 'Socket of the daemon' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand auth; and __fish_seen_subcommand_from status" -l url -d 'Address of the daemon: https://, or http:// and a loopback address' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand auth; and __fish_seen_subcommand_from status" -s v -l verbose -d 'Say on stderr which trace the requests are part of (the one TRACEPARENT names, or a new one)'
complete -c walletctl -n "__fish_walletctl_using_subcommand auth; and __fish_seen_subcommand_from status" -s h -l help -d 'Print help'
complete -c walletctl -n "__fish_walletctl_using_subcommand auth; and __fish_seen_subcommand_from token" -s o -l output -d 'Form of the result on stdout: table, json, ndjson or csv' -r -f -a "table\t'Columns for people'
json\t'One envelope with schema, data and meta'
ndjson\t'One flat object a line'
csv\t'A header and one flat row a line'"
complete -c walletctl -n "__fish_walletctl_using_subcommand auth; and __fish_seen_subcommand_from token" -l fields -d 'Columns to show, separated by commas' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand auth; and __fish_seen_subcommand_from token" -l color -d 'When to use colour: auto, always or never' -r -f -a "auto\t'At a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c walletctl -n "__fish_walletctl_using_subcommand auth; and __fish_seen_subcommand_from token" -l tz -d 'Zone of dates, by its IANA name; UTC unless the context says otherwise' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand auth; and __fish_seen_subcommand_from token" -l context -d 'Context to use' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand auth; and __fish_seen_subcommand_from token" -l socket -d 'Socket of the daemon' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand auth; and __fish_seen_subcommand_from token" -l url -d 'Address of the daemon: https://, or http:// and a loopback address' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand auth; and __fish_seen_subcommand_from token" -s v -l verbose -d 'Say on stderr which trace the requests are part of (the one TRACEPARENT names, or a new one)'
complete -c walletctl -n "__fish_walletctl_using_subcommand auth; and __fish_seen_subcommand_from token" -s h -l help -d 'Print help'
complete -c walletctl -n "__fish_walletctl_using_subcommand auth; and __fish_seen_subcommand_from whoami" -s o -l output -d 'Form of the result on stdout: table, json, ndjson or csv' -r -f -a "table\t'Columns for people'
json\t'One envelope with schema, data and meta'
ndjson\t'One flat object a line'
csv\t'A header and one flat row a line'"
complete -c walletctl -n "__fish_walletctl_using_subcommand auth; and __fish_seen_subcommand_from whoami" -l fields -d 'Columns to show, separated by commas' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand auth; and __fish_seen_subcommand_from whoami" -l color -d 'When to use colour: auto, always or never' -r -f -a "auto\t'At a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c walletctl -n "__fish_walletctl_using_subcommand auth; and __fish_seen_subcommand_from whoami" -l tz -d 'Zone of dates, by its IANA name; UTC unless the context says otherwise' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand auth; and __fish_seen_subcommand_from whoami" -l context -d 'Context to use' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand auth; and __fish_seen_subcommand_from whoami" -l socket -d 'Socket of the daemon' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand auth; and __fish_seen_subcommand_from whoami" -l url -d 'Address of the daemon: https://, or http:// and a loopback address' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand auth; and __fish_seen_subcommand_from whoami" -s v -l verbose -d 'Say on stderr which trace the requests are part of (the one TRACEPARENT names, or a new one)'
complete -c walletctl -n "__fish_walletctl_using_subcommand auth; and __fish_seen_subcommand_from whoami" -s h -l help -d 'Print help'
complete -c walletctl -n "__fish_walletctl_using_subcommand auth; and __fish_seen_subcommand_from can-i" -s o -l output -d 'Form of the result on stdout: table, json, ndjson or csv' -r -f -a "table\t'Columns for people'
json\t'One envelope with schema, data and meta'
ndjson\t'One flat object a line'
csv\t'A header and one flat row a line'"
complete -c walletctl -n "__fish_walletctl_using_subcommand auth; and __fish_seen_subcommand_from can-i" -l fields -d 'Columns to show, separated by commas' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand auth; and __fish_seen_subcommand_from can-i" -l color -d 'When to use colour: auto, always or never' -r -f -a "auto\t'At a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c walletctl -n "__fish_walletctl_using_subcommand auth; and __fish_seen_subcommand_from can-i" -l tz -d 'Zone of dates, by its IANA name; UTC unless the context says otherwise' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand auth; and __fish_seen_subcommand_from can-i" -l context -d 'Context to use' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand auth; and __fish_seen_subcommand_from can-i" -l socket -d 'Socket of the daemon' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand auth; and __fish_seen_subcommand_from can-i" -l url -d 'Address of the daemon: https://, or http:// and a loopback address' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand auth; and __fish_seen_subcommand_from can-i" -s v -l verbose -d 'Say on stderr which trace the requests are part of (the one TRACEPARENT names, or a new one)'
complete -c walletctl -n "__fish_walletctl_using_subcommand auth; and __fish_seen_subcommand_from can-i" -s h -l help -d 'Print help'
complete -c walletctl -n "__fish_walletctl_using_subcommand intent; and not __fish_seen_subcommand_from list show resume forget" -s o -l output -d 'Form of the result on stdout: table, json, ndjson or csv' -r -f -a "table\t'Columns for people'
json\t'One envelope with schema, data and meta'
ndjson\t'One flat object a line'
csv\t'A header and one flat row a line'"
complete -c walletctl -n "__fish_walletctl_using_subcommand intent; and not __fish_seen_subcommand_from list show resume forget" -l fields -d 'Columns to show, separated by commas' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand intent; and not __fish_seen_subcommand_from list show resume forget" -l color -d 'When to use colour: auto, always or never' -r -f -a "auto\t'At a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c walletctl -n "__fish_walletctl_using_subcommand intent; and not __fish_seen_subcommand_from list show resume forget" -l tz -d 'Zone of dates, by its IANA name; UTC unless the context says otherwise' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand intent; and not __fish_seen_subcommand_from list show resume forget" -l context -d 'Context to use' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand intent; and not __fish_seen_subcommand_from list show resume forget" -l socket -d 'Socket of the daemon' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand intent; and not __fish_seen_subcommand_from list show resume forget" -l url -d 'Address of the daemon: https://, or http:// and a loopback address' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand intent; and not __fish_seen_subcommand_from list show resume forget" -s v -l verbose -d 'Say on stderr which trace the requests are part of (the one TRACEPARENT names, or a new one)'
complete -c walletctl -n "__fish_walletctl_using_subcommand intent; and not __fish_seen_subcommand_from list show resume forget" -s h -l help -d 'Print help'
complete -c walletctl -n "__fish_walletctl_using_subcommand intent; and not __fish_seen_subcommand_from list show resume forget" -f -a "list" -d 'List the writes whose outcome is not known'
complete -c walletctl -n "__fish_walletctl_using_subcommand intent; and not __fish_seen_subcommand_from list show resume forget" -f -a "show" -d 'Show one with the whole request'
complete -c walletctl -n "__fish_walletctl_using_subcommand intent; and not __fish_seen_subcommand_from list show resume forget" -f -a "resume" -d 'Send it again with the same key: it happens now, or replays if it had happened'
complete -c walletctl -n "__fish_walletctl_using_subcommand intent; and not __fish_seen_subcommand_from list show resume forget" -f -a "forget" -d 'Forget one without sending it: whether it happened stays open'
complete -c walletctl -n "__fish_walletctl_using_subcommand intent; and __fish_seen_subcommand_from list" -s o -l output -d 'Form of the result on stdout: table, json, ndjson or csv' -r -f -a "table\t'Columns for people'
json\t'One envelope with schema, data and meta'
ndjson\t'One flat object a line'
csv\t'A header and one flat row a line'"
complete -c walletctl -n "__fish_walletctl_using_subcommand intent; and __fish_seen_subcommand_from list" -l fields -d 'Columns to show, separated by commas' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand intent; and __fish_seen_subcommand_from list" -l color -d 'When to use colour: auto, always or never' -r -f -a "auto\t'At a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c walletctl -n "__fish_walletctl_using_subcommand intent; and __fish_seen_subcommand_from list" -l tz -d 'Zone of dates, by its IANA name; UTC unless the context says otherwise' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand intent; and __fish_seen_subcommand_from list" -l context -d 'Context to use' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand intent; and __fish_seen_subcommand_from list" -l socket -d 'Socket of the daemon' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand intent; and __fish_seen_subcommand_from list" -l url -d 'Address of the daemon: https://, or http:// and a loopback address' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand intent; and __fish_seen_subcommand_from list" -s v -l verbose -d 'Say on stderr which trace the requests are part of (the one TRACEPARENT names, or a new one)'
complete -c walletctl -n "__fish_walletctl_using_subcommand intent; and __fish_seen_subcommand_from list" -s h -l help -d 'Print help'
complete -c walletctl -n "__fish_walletctl_using_subcommand intent; and __fish_seen_subcommand_from show" -s o -l output -d 'Form of the result on stdout: table, json, ndjson or csv' -r -f -a "table\t'Columns for people'
json\t'One envelope with schema, data and meta'
ndjson\t'One flat object a line'
csv\t'A header and one flat row a line'"
complete -c walletctl -n "__fish_walletctl_using_subcommand intent; and __fish_seen_subcommand_from show" -l fields -d 'Columns to show, separated by commas' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand intent; and __fish_seen_subcommand_from show" -l color -d 'When to use colour: auto, always or never' -r -f -a "auto\t'At a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c walletctl -n "__fish_walletctl_using_subcommand intent; and __fish_seen_subcommand_from show" -l tz -d 'Zone of dates, by its IANA name; UTC unless the context says otherwise' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand intent; and __fish_seen_subcommand_from show" -l context -d 'Context to use' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand intent; and __fish_seen_subcommand_from show" -l socket -d 'Socket of the daemon' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand intent; and __fish_seen_subcommand_from show" -l url -d 'Address of the daemon: https://, or http:// and a loopback address' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand intent; and __fish_seen_subcommand_from show" -s v -l verbose -d 'Say on stderr which trace the requests are part of (the one TRACEPARENT names, or a new one)'
complete -c walletctl -n "__fish_walletctl_using_subcommand intent; and __fish_seen_subcommand_from show" -s h -l help -d 'Print help'
complete -c walletctl -n "__fish_walletctl_using_subcommand intent; and __fish_seen_subcommand_from resume" -s o -l output -d 'Form of the result on stdout: table, json, ndjson or csv' -r -f -a "table\t'Columns for people'
json\t'One envelope with schema, data and meta'
ndjson\t'One flat object a line'
csv\t'A header and one flat row a line'"
complete -c walletctl -n "__fish_walletctl_using_subcommand intent; and __fish_seen_subcommand_from resume" -l fields -d 'Columns to show, separated by commas' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand intent; and __fish_seen_subcommand_from resume" -l color -d 'When to use colour: auto, always or never' -r -f -a "auto\t'At a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c walletctl -n "__fish_walletctl_using_subcommand intent; and __fish_seen_subcommand_from resume" -l tz -d 'Zone of dates, by its IANA name; UTC unless the context says otherwise' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand intent; and __fish_seen_subcommand_from resume" -l context -d 'Context to use' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand intent; and __fish_seen_subcommand_from resume" -l socket -d 'Socket of the daemon' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand intent; and __fish_seen_subcommand_from resume" -l url -d 'Address of the daemon: https://, or http:// and a loopback address' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand intent; and __fish_seen_subcommand_from resume" -l all -d 'All of this context\'s daemon'
complete -c walletctl -n "__fish_walletctl_using_subcommand intent; and __fish_seen_subcommand_from resume" -s y -l yes -d 'Do not ask'
complete -c walletctl -n "__fish_walletctl_using_subcommand intent; and __fish_seen_subcommand_from resume" -s v -l verbose -d 'Say on stderr which trace the requests are part of (the one TRACEPARENT names, or a new one)'
complete -c walletctl -n "__fish_walletctl_using_subcommand intent; and __fish_seen_subcommand_from resume" -s h -l help -d 'Print help'
complete -c walletctl -n "__fish_walletctl_using_subcommand intent; and __fish_seen_subcommand_from forget" -s o -l output -d 'Form of the result on stdout: table, json, ndjson or csv' -r -f -a "table\t'Columns for people'
json\t'One envelope with schema, data and meta'
ndjson\t'One flat object a line'
csv\t'A header and one flat row a line'"
complete -c walletctl -n "__fish_walletctl_using_subcommand intent; and __fish_seen_subcommand_from forget" -l fields -d 'Columns to show, separated by commas' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand intent; and __fish_seen_subcommand_from forget" -l color -d 'When to use colour: auto, always or never' -r -f -a "auto\t'At a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c walletctl -n "__fish_walletctl_using_subcommand intent; and __fish_seen_subcommand_from forget" -l tz -d 'Zone of dates, by its IANA name; UTC unless the context says otherwise' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand intent; and __fish_seen_subcommand_from forget" -l context -d 'Context to use' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand intent; and __fish_seen_subcommand_from forget" -l socket -d 'Socket of the daemon' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand intent; and __fish_seen_subcommand_from forget" -l url -d 'Address of the daemon: https://, or http:// and a loopback address' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand intent; and __fish_seen_subcommand_from forget" -s y -l yes -d 'Do not ask'
complete -c walletctl -n "__fish_walletctl_using_subcommand intent; and __fish_seen_subcommand_from forget" -s v -l verbose -d 'Say on stderr which trace the requests are part of (the one TRACEPARENT names, or a new one)'
complete -c walletctl -n "__fish_walletctl_using_subcommand intent; and __fish_seen_subcommand_from forget" -s h -l help -d 'Print help'
complete -c walletctl -n "__fish_walletctl_using_subcommand context; and not __fish_seen_subcommand_from list use set show" -s o -l output -d 'Form of the result on stdout: table, json, ndjson or csv' -r -f -a "table\t'Columns for people'
json\t'One envelope with schema, data and meta'
ndjson\t'One flat object a line'
csv\t'A header and one flat row a line'"
complete -c walletctl -n "__fish_walletctl_using_subcommand context; and not __fish_seen_subcommand_from list use set show" -l fields -d 'Columns to show, separated by commas' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand context; and not __fish_seen_subcommand_from list use set show" -l color -d 'When to use colour: auto, always or never' -r -f -a "auto\t'At a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c walletctl -n "__fish_walletctl_using_subcommand context; and not __fish_seen_subcommand_from list use set show" -l tz -d 'Zone of dates, by its IANA name; UTC unless the context says otherwise' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand context; and not __fish_seen_subcommand_from list use set show" -l context -d 'Context to use' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand context; and not __fish_seen_subcommand_from list use set show" -l socket -d 'Socket of the daemon' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand context; and not __fish_seen_subcommand_from list use set show" -l url -d 'Address of the daemon: https://, or http:// and a loopback address' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand context; and not __fish_seen_subcommand_from list use set show" -s v -l verbose -d 'Say on stderr which trace the requests are part of (the one TRACEPARENT names, or a new one)'
complete -c walletctl -n "__fish_walletctl_using_subcommand context; and not __fish_seen_subcommand_from list use set show" -s h -l help -d 'Print help'
complete -c walletctl -n "__fish_walletctl_using_subcommand context; and not __fish_seen_subcommand_from list use set show" -f -a "list" -d 'List all contexts; the local daemon\'s is always among them'
complete -c walletctl -n "__fish_walletctl_using_subcommand context; and not __fish_seen_subcommand_from list use set show" -f -a "use" -d 'Make a context the current one'
complete -c walletctl -n "__fish_walletctl_using_subcommand context; and not __fish_seen_subcommand_from list use set show" -f -a "set" -d 'Make or change a context; what is not named stays as it is'
complete -c walletctl -n "__fish_walletctl_using_subcommand context; and not __fish_seen_subcommand_from list use set show" -f -a "show" -d 'Show a context'
complete -c walletctl -n "__fish_walletctl_using_subcommand context; and __fish_seen_subcommand_from list" -s o -l output -d 'Form of the result on stdout: table, json, ndjson or csv' -r -f -a "table\t'Columns for people'
json\t'One envelope with schema, data and meta'
ndjson\t'One flat object a line'
csv\t'A header and one flat row a line'"
complete -c walletctl -n "__fish_walletctl_using_subcommand context; and __fish_seen_subcommand_from list" -l fields -d 'Columns to show, separated by commas' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand context; and __fish_seen_subcommand_from list" -l color -d 'When to use colour: auto, always or never' -r -f -a "auto\t'At a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c walletctl -n "__fish_walletctl_using_subcommand context; and __fish_seen_subcommand_from list" -l tz -d 'Zone of dates, by its IANA name; UTC unless the context says otherwise' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand context; and __fish_seen_subcommand_from list" -l context -d 'Context to use' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand context; and __fish_seen_subcommand_from list" -l socket -d 'Socket of the daemon' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand context; and __fish_seen_subcommand_from list" -l url -d 'Address of the daemon: https://, or http:// and a loopback address' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand context; and __fish_seen_subcommand_from list" -s v -l verbose -d 'Say on stderr which trace the requests are part of (the one TRACEPARENT names, or a new one)'
complete -c walletctl -n "__fish_walletctl_using_subcommand context; and __fish_seen_subcommand_from list" -s h -l help -d 'Print help'
complete -c walletctl -n "__fish_walletctl_using_subcommand context; and __fish_seen_subcommand_from use" -s o -l output -d 'Form of the result on stdout: table, json, ndjson or csv' -r -f -a "table\t'Columns for people'
json\t'One envelope with schema, data and meta'
ndjson\t'One flat object a line'
csv\t'A header and one flat row a line'"
complete -c walletctl -n "__fish_walletctl_using_subcommand context; and __fish_seen_subcommand_from use" -l fields -d 'Columns to show, separated by commas' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand context; and __fish_seen_subcommand_from use" -l color -d 'When to use colour: auto, always or never' -r -f -a "auto\t'At a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c walletctl -n "__fish_walletctl_using_subcommand context; and __fish_seen_subcommand_from use" -l tz -d 'Zone of dates, by its IANA name; UTC unless the context says otherwise' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand context; and __fish_seen_subcommand_from use" -l context -d 'Context to use' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand context; and __fish_seen_subcommand_from use" -l socket -d 'Socket of the daemon' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand context; and __fish_seen_subcommand_from use" -l url -d 'Address of the daemon: https://, or http:// and a loopback address' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand context; and __fish_seen_subcommand_from use" -s v -l verbose -d 'Say on stderr which trace the requests are part of (the one TRACEPARENT names, or a new one)'
complete -c walletctl -n "__fish_walletctl_using_subcommand context; and __fish_seen_subcommand_from use" -s h -l help -d 'Print help'
complete -c walletctl -n "__fish_walletctl_using_subcommand context; and __fish_seen_subcommand_from set" -l daemon -d 'The daemon: a socket\'s absolute path, https://, or http:// and a loopback address' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand context; and __fish_seen_subcommand_from set" -l issuer -d 'Pin who issues the daemon\'s tokens' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand context; and __fish_seen_subcommand_from set" -l client -d 'The client walletctl is to the issuer; walletctl unless told otherwise' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand context; and __fish_seen_subcommand_from set" -l ca-file -d 'Certificate authorities besides the system\'s, PEM' -r -F
complete -c walletctl -n "__fish_walletctl_using_subcommand context; and __fish_seen_subcommand_from set" -l secret-file -d 'Sign in as the client itself, with the secret in this file' -r -F
complete -c walletctl -n "__fish_walletctl_using_subcommand context; and __fish_seen_subcommand_from set" -l secret-credential -d 'The same, with the secret in a systemd credential' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand context; and __fish_seen_subcommand_from set" -l key-file -d 'Sign in as the client itself, with the private key in this file, PEM' -r -F
complete -c walletctl -n "__fish_walletctl_using_subcommand context; and __fish_seen_subcommand_from set" -l key-credential -d 'The same, with the key in a systemd credential' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand context; and __fish_seen_subcommand_from set" -l key-id -d 'The key\'s id at the issuer, if it knows several' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand context; and __fish_seen_subcommand_from set" -l login -d 'People sign in: no secret or key any more' -r -f -a "true\t''
false\t''"
complete -c walletctl -n "__fish_walletctl_using_subcommand context; and __fish_seen_subcommand_from set" -l zone -d 'Zone of dates' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand context; and __fish_seen_subcommand_from set" -l form -d 'Form of output' -r -f -a "table\t'Columns for people'
json\t'One envelope with schema, data and meta'
ndjson\t'One flat object a line'
csv\t'A header and one flat row a line'"
complete -c walletctl -n "__fish_walletctl_using_subcommand context; and __fish_seen_subcommand_from set" -l protected -d 'Writes need --context NAME' -r -f -a "true\t''
false\t''"
complete -c walletctl -n "__fish_walletctl_using_subcommand context; and __fish_seen_subcommand_from set" -l confirm-above -d 'Above this amount, of any asset, a person types the amount' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand context; and __fish_seen_subcommand_from set" -s o -l output -d 'Form of the result on stdout: table, json, ndjson or csv' -r -f -a "table\t'Columns for people'
json\t'One envelope with schema, data and meta'
ndjson\t'One flat object a line'
csv\t'A header and one flat row a line'"
complete -c walletctl -n "__fish_walletctl_using_subcommand context; and __fish_seen_subcommand_from set" -l fields -d 'Columns to show, separated by commas' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand context; and __fish_seen_subcommand_from set" -l color -d 'When to use colour: auto, always or never' -r -f -a "auto\t'At a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c walletctl -n "__fish_walletctl_using_subcommand context; and __fish_seen_subcommand_from set" -l tz -d 'Zone of dates, by its IANA name; UTC unless the context says otherwise' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand context; and __fish_seen_subcommand_from set" -l context -d 'Context to use' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand context; and __fish_seen_subcommand_from set" -l socket -d 'Socket of the daemon' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand context; and __fish_seen_subcommand_from set" -l url -d 'Address of the daemon: https://, or http:// and a loopback address' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand context; and __fish_seen_subcommand_from set" -s v -l verbose -d 'Say on stderr which trace the requests are part of (the one TRACEPARENT names, or a new one)'
complete -c walletctl -n "__fish_walletctl_using_subcommand context; and __fish_seen_subcommand_from set" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c walletctl -n "__fish_walletctl_using_subcommand context; and __fish_seen_subcommand_from show" -s o -l output -d 'Form of the result on stdout: table, json, ndjson or csv' -r -f -a "table\t'Columns for people'
json\t'One envelope with schema, data and meta'
ndjson\t'One flat object a line'
csv\t'A header and one flat row a line'"
complete -c walletctl -n "__fish_walletctl_using_subcommand context; and __fish_seen_subcommand_from show" -l fields -d 'Columns to show, separated by commas' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand context; and __fish_seen_subcommand_from show" -l color -d 'When to use colour: auto, always or never' -r -f -a "auto\t'At a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c walletctl -n "__fish_walletctl_using_subcommand context; and __fish_seen_subcommand_from show" -l tz -d 'Zone of dates, by its IANA name; UTC unless the context says otherwise' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand context; and __fish_seen_subcommand_from show" -l context -d 'Context to use' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand context; and __fish_seen_subcommand_from show" -l socket -d 'Socket of the daemon' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand context; and __fish_seen_subcommand_from show" -l url -d 'Address of the daemon: https://, or http:// and a loopback address' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand context; and __fish_seen_subcommand_from show" -s v -l verbose -d 'Say on stderr which trace the requests are part of (the one TRACEPARENT names, or a new one)'
complete -c walletctl -n "__fish_walletctl_using_subcommand context; and __fish_seen_subcommand_from show" -s h -l help -d 'Print help'
complete -c walletctl -n "__fish_walletctl_using_subcommand config; and not __fish_seen_subcommand_from show" -s o -l output -d 'Form of the result on stdout: table, json, ndjson or csv' -r -f -a "table\t'Columns for people'
json\t'One envelope with schema, data and meta'
ndjson\t'One flat object a line'
csv\t'A header and one flat row a line'"
complete -c walletctl -n "__fish_walletctl_using_subcommand config; and not __fish_seen_subcommand_from show" -l fields -d 'Columns to show, separated by commas' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand config; and not __fish_seen_subcommand_from show" -l color -d 'When to use colour: auto, always or never' -r -f -a "auto\t'At a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c walletctl -n "__fish_walletctl_using_subcommand config; and not __fish_seen_subcommand_from show" -l tz -d 'Zone of dates, by its IANA name; UTC unless the context says otherwise' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand config; and not __fish_seen_subcommand_from show" -l context -d 'Context to use' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand config; and not __fish_seen_subcommand_from show" -l socket -d 'Socket of the daemon' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand config; and not __fish_seen_subcommand_from show" -l url -d 'Address of the daemon: https://, or http:// and a loopback address' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand config; and not __fish_seen_subcommand_from show" -s v -l verbose -d 'Say on stderr which trace the requests are part of (the one TRACEPARENT names, or a new one)'
complete -c walletctl -n "__fish_walletctl_using_subcommand config; and not __fish_seen_subcommand_from show" -s h -l help -d 'Print help'
complete -c walletctl -n "__fish_walletctl_using_subcommand config; and not __fish_seen_subcommand_from show" -f -a "show" -d 'Show every setting as it is now'
complete -c walletctl -n "__fish_walletctl_using_subcommand config; and __fish_seen_subcommand_from show" -s o -l output -d 'Form of the result on stdout: table, json, ndjson or csv' -r -f -a "table\t'Columns for people'
json\t'One envelope with schema, data and meta'
ndjson\t'One flat object a line'
csv\t'A header and one flat row a line'"
complete -c walletctl -n "__fish_walletctl_using_subcommand config; and __fish_seen_subcommand_from show" -l fields -d 'Columns to show, separated by commas' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand config; and __fish_seen_subcommand_from show" -l color -d 'When to use colour: auto, always or never' -r -f -a "auto\t'At a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c walletctl -n "__fish_walletctl_using_subcommand config; and __fish_seen_subcommand_from show" -l tz -d 'Zone of dates, by its IANA name; UTC unless the context says otherwise' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand config; and __fish_seen_subcommand_from show" -l context -d 'Context to use' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand config; and __fish_seen_subcommand_from show" -l socket -d 'Socket of the daemon' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand config; and __fish_seen_subcommand_from show" -l url -d 'Address of the daemon: https://, or http:// and a loopback address' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand config; and __fish_seen_subcommand_from show" -l origin -d 'Say where each comes from'
complete -c walletctl -n "__fish_walletctl_using_subcommand config; and __fish_seen_subcommand_from show" -s v -l verbose -d 'Say on stderr which trace the requests are part of (the one TRACEPARENT names, or a new one)'
complete -c walletctl -n "__fish_walletctl_using_subcommand config; and __fish_seen_subcommand_from show" -s h -l help -d 'Print help'
complete -c walletctl -n "__fish_walletctl_using_subcommand daemon; and not __fish_seen_subcommand_from status" -s o -l output -d 'Form of the result on stdout: table, json, ndjson or csv' -r -f -a "table\t'Columns for people'
json\t'One envelope with schema, data and meta'
ndjson\t'One flat object a line'
csv\t'A header and one flat row a line'"
complete -c walletctl -n "__fish_walletctl_using_subcommand daemon; and not __fish_seen_subcommand_from status" -l fields -d 'Columns to show, separated by commas' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand daemon; and not __fish_seen_subcommand_from status" -l color -d 'When to use colour: auto, always or never' -r -f -a "auto\t'At a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c walletctl -n "__fish_walletctl_using_subcommand daemon; and not __fish_seen_subcommand_from status" -l tz -d 'Zone of dates, by its IANA name; UTC unless the context says otherwise' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand daemon; and not __fish_seen_subcommand_from status" -l context -d 'Context to use' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand daemon; and not __fish_seen_subcommand_from status" -l socket -d 'Socket of the daemon' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand daemon; and not __fish_seen_subcommand_from status" -l url -d 'Address of the daemon: https://, or http:// and a loopback address' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand daemon; and not __fish_seen_subcommand_from status" -s v -l verbose -d 'Say on stderr which trace the requests are part of (the one TRACEPARENT names, or a new one)'
complete -c walletctl -n "__fish_walletctl_using_subcommand daemon; and not __fish_seen_subcommand_from status" -s h -l help -d 'Print help'
complete -c walletctl -n "__fish_walletctl_using_subcommand daemon; and not __fish_seen_subcommand_from status" -f -a "status" -d 'Show what the daemon says about itself: version, head of the ledger, projections'
complete -c walletctl -n "__fish_walletctl_using_subcommand daemon; and __fish_seen_subcommand_from status" -s o -l output -d 'Form of the result on stdout: table, json, ndjson or csv' -r -f -a "table\t'Columns for people'
json\t'One envelope with schema, data and meta'
ndjson\t'One flat object a line'
csv\t'A header and one flat row a line'"
complete -c walletctl -n "__fish_walletctl_using_subcommand daemon; and __fish_seen_subcommand_from status" -l fields -d 'Columns to show, separated by commas' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand daemon; and __fish_seen_subcommand_from status" -l color -d 'When to use colour: auto, always or never' -r -f -a "auto\t'At a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c walletctl -n "__fish_walletctl_using_subcommand daemon; and __fish_seen_subcommand_from status" -l tz -d 'Zone of dates, by its IANA name; UTC unless the context says otherwise' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand daemon; and __fish_seen_subcommand_from status" -l context -d 'Context to use' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand daemon; and __fish_seen_subcommand_from status" -l socket -d 'Socket of the daemon' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand daemon; and __fish_seen_subcommand_from status" -l url -d 'Address of the daemon: https://, or http:// and a loopback address' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand daemon; and __fish_seen_subcommand_from status" -s v -l verbose -d 'Say on stderr which trace the requests are part of (the one TRACEPARENT names, or a new one)'
complete -c walletctl -n "__fish_walletctl_using_subcommand daemon; and __fish_seen_subcommand_from status" -s h -l help -d 'Print help'
complete -c walletctl -n "__fish_walletctl_using_subcommand doctor" -l results -d 'Folder of results files, if batches name one' -r -F
complete -c walletctl -n "__fish_walletctl_using_subcommand doctor" -s o -l output -d 'Form of the result on stdout: table, json, ndjson or csv' -r -f -a "table\t'Columns for people'
json\t'One envelope with schema, data and meta'
ndjson\t'One flat object a line'
csv\t'A header and one flat row a line'"
complete -c walletctl -n "__fish_walletctl_using_subcommand doctor" -l fields -d 'Columns to show, separated by commas' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand doctor" -l color -d 'When to use colour: auto, always or never' -r -f -a "auto\t'At a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c walletctl -n "__fish_walletctl_using_subcommand doctor" -l tz -d 'Zone of dates, by its IANA name; UTC unless the context says otherwise' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand doctor" -l context -d 'Context to use' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand doctor" -l socket -d 'Socket of the daemon' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand doctor" -l url -d 'Address of the daemon: https://, or http:// and a loopback address' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand doctor" -l for-cron -d 'As a cron job: no terminal, no keyring, no environment but what it is given'
complete -c walletctl -n "__fish_walletctl_using_subcommand doctor" -s v -l verbose -d 'Say on stderr which trace the requests are part of (the one TRACEPARENT names, or a new one)'
complete -c walletctl -n "__fish_walletctl_using_subcommand doctor" -s h -l help -d 'Print help'
complete -c walletctl -n "__fish_walletctl_using_subcommand explain" -s o -l output -d 'Form of the result on stdout: table, json, ndjson or csv' -r -f -a "table\t'Columns for people'
json\t'One envelope with schema, data and meta'
ndjson\t'One flat object a line'
csv\t'A header and one flat row a line'"
complete -c walletctl -n "__fish_walletctl_using_subcommand explain" -l fields -d 'Columns to show, separated by commas' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand explain" -l color -d 'When to use colour: auto, always or never' -r -f -a "auto\t'At a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c walletctl -n "__fish_walletctl_using_subcommand explain" -l tz -d 'Zone of dates, by its IANA name; UTC unless the context says otherwise' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand explain" -l context -d 'Context to use' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand explain" -l socket -d 'Socket of the daemon' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand explain" -l url -d 'Address of the daemon: https://, or http:// and a loopback address' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand explain" -s v -l verbose -d 'Say on stderr which trace the requests are part of (the one TRACEPARENT names, or a new one)'
complete -c walletctl -n "__fish_walletctl_using_subcommand explain" -s h -l help -d 'Print help'
complete -c walletctl -n "__fish_walletctl_using_subcommand api" -l data -d 'The body: JSON, @FILE, or @- for stdin (- too)' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand api" -l idempotency-key -d 'What makes a write happen at most once' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand api" -s o -l output -d 'Form of the result on stdout: table, json, ndjson or csv' -r -f -a "table\t'Columns for people'
json\t'One envelope with schema, data and meta'
ndjson\t'One flat object a line'
csv\t'A header and one flat row a line'"
complete -c walletctl -n "__fish_walletctl_using_subcommand api" -l fields -d 'Columns to show, separated by commas' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand api" -l color -d 'When to use colour: auto, always or never' -r -f -a "auto\t'At a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c walletctl -n "__fish_walletctl_using_subcommand api" -l tz -d 'Zone of dates, by its IANA name; UTC unless the context says otherwise' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand api" -l context -d 'Context to use' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand api" -l socket -d 'Socket of the daemon' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand api" -l url -d 'Address of the daemon: https://, or http:// and a loopback address' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand api" -s y -l yes -d 'Do not ask'
complete -c walletctl -n "__fish_walletctl_using_subcommand api" -s v -l verbose -d 'Say on stderr which trace the requests are part of (the one TRACEPARENT names, or a new one)'
complete -c walletctl -n "__fish_walletctl_using_subcommand api" -s h -l help -d 'Print help'
complete -c walletctl -n "__fish_walletctl_using_subcommand bench" -l scenario -d 'Only these, separated by commas' -r -f -a "raw\t'Appends of one record, each synced; the bare store; the route that does nothing'
singles\t'Transfers one by one, by 1, 16, 64 and 256 clients'
batches\t'Batch files of `--count` rows, and the time until what follows the ledger has caught up'
cached\t'Balances from the cache, by 1, 16, 64 and 256 clients'
points\t'Balances at random moments and cuts, in four shapes of history, by 1 and 16 readers'
report\t'Balances of `--wallets` wallets at a moment'
tokens\t'Over TCP with tokens: what it costs to know and to limit who calls, beside transfers; not of a running daemon'
process\t'`walletctl balance` as a whole process'"
complete -c walletctl -n "__fish_walletctl_using_subcommand bench" -l duration -d 'Seconds of each measurement that asks again and again' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand bench" -l count -d 'Rows of a batch file' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand bench" -l wallets -d 'Wallets of the report' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand bench" -l entries -d 'Entries of the histories, separated by commas' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand bench" -l reads -d 'Reads of each history' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand bench" -l walletd -d 'The daemon\'s program; the one beside walletctl when left out' -r -F
complete -c walletctl -n "__fish_walletctl_using_subcommand bench" -l dir -d 'Where the scratch daemon keeps its files; the folder for temporary files when left out' -r -F
complete -c walletctl -n "__fish_walletctl_using_subcommand bench" -s o -l output -d 'Form of the result on stdout: table, json, ndjson or csv' -r -f -a "table\t'Columns for people'
json\t'One envelope with schema, data and meta'
ndjson\t'One flat object a line'
csv\t'A header and one flat row a line'"
complete -c walletctl -n "__fish_walletctl_using_subcommand bench" -l fields -d 'Columns to show, separated by commas' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand bench" -l color -d 'When to use colour: auto, always or never' -r -f -a "auto\t'At a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c walletctl -n "__fish_walletctl_using_subcommand bench" -l tz -d 'Zone of dates, by its IANA name; UTC unless the context says otherwise' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand bench" -l context -d 'Context to use' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand bench" -l socket -d 'Socket of the daemon' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand bench" -l url -d 'Address of the daemon: https://, or http:// and a loopback address' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand bench" -l servers -d 'Keep the scratch daemon\'s stores on the servers that `WALLETD_LEDGER_URL` and its like name, in databases of their own that are dropped behind it; what is not named is embedded'
complete -c walletctl -n "__fish_walletctl_using_subcommand bench" -l running -d 'Measure the daemon of the context instead, and leave wallets and transactions in it'
complete -c walletctl -n "__fish_walletctl_using_subcommand bench" -s y -l yes -d 'Do not ask'
complete -c walletctl -n "__fish_walletctl_using_subcommand bench" -s v -l verbose -d 'Say on stderr which trace the requests are part of (the one TRACEPARENT names, or a new one)'
complete -c walletctl -n "__fish_walletctl_using_subcommand bench" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c walletctl -n "__fish_walletctl_using_subcommand completion" -s o -l output -d 'Form of the result on stdout: table, json, ndjson or csv' -r -f -a "table\t'Columns for people'
json\t'One envelope with schema, data and meta'
ndjson\t'One flat object a line'
csv\t'A header and one flat row a line'"
complete -c walletctl -n "__fish_walletctl_using_subcommand completion" -l fields -d 'Columns to show, separated by commas' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand completion" -l color -d 'When to use colour: auto, always or never' -r -f -a "auto\t'At a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c walletctl -n "__fish_walletctl_using_subcommand completion" -l tz -d 'Zone of dates, by its IANA name; UTC unless the context says otherwise' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand completion" -l context -d 'Context to use' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand completion" -l socket -d 'Socket of the daemon' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand completion" -l url -d 'Address of the daemon: https://, or http:// and a loopback address' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand completion" -s v -l verbose -d 'Say on stderr which trace the requests are part of (the one TRACEPARENT names, or a new one)'
complete -c walletctl -n "__fish_walletctl_using_subcommand completion" -s h -l help -d 'Print help'
complete -c walletctl -n "__fish_walletctl_using_subcommand man" -l out -d 'Folder to write a page for every command to' -r -F
complete -c walletctl -n "__fish_walletctl_using_subcommand man" -s o -l output -d 'Form of the result on stdout: table, json, ndjson or csv' -r -f -a "table\t'Columns for people'
json\t'One envelope with schema, data and meta'
ndjson\t'One flat object a line'
csv\t'A header and one flat row a line'"
complete -c walletctl -n "__fish_walletctl_using_subcommand man" -l fields -d 'Columns to show, separated by commas' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand man" -l color -d 'When to use colour: auto, always or never' -r -f -a "auto\t'At a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c walletctl -n "__fish_walletctl_using_subcommand man" -l tz -d 'Zone of dates, by its IANA name; UTC unless the context says otherwise' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand man" -l context -d 'Context to use' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand man" -l socket -d 'Socket of the daemon' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand man" -l url -d 'Address of the daemon: https://, or http:// and a loopback address' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand man" -s v -l verbose -d 'Say on stderr which trace the requests are part of (the one TRACEPARENT names, or a new one)'
complete -c walletctl -n "__fish_walletctl_using_subcommand man" -s h -l help -d 'Print help'
complete -c walletctl -n "__fish_walletctl_using_subcommand version" -s o -l output -d 'Form of the result on stdout: table, json, ndjson or csv' -r -f -a "table\t'Columns for people'
json\t'One envelope with schema, data and meta'
ndjson\t'One flat object a line'
csv\t'A header and one flat row a line'"
complete -c walletctl -n "__fish_walletctl_using_subcommand version" -l fields -d 'Columns to show, separated by commas' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand version" -l color -d 'When to use colour: auto, always or never' -r -f -a "auto\t'At a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c walletctl -n "__fish_walletctl_using_subcommand version" -l tz -d 'Zone of dates, by its IANA name; UTC unless the context says otherwise' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand version" -l context -d 'Context to use' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand version" -l socket -d 'Socket of the daemon' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand version" -l url -d 'Address of the daemon: https://, or http:// and a loopback address' -r
complete -c walletctl -n "__fish_walletctl_using_subcommand version" -s v -l verbose -d 'Say on stderr which trace the requests are part of (the one TRACEPARENT names, or a new one)'
complete -c walletctl -n "__fish_walletctl_using_subcommand version" -s h -l help -d 'Print help'

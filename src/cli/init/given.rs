//! The stages that the options of the command line say, without asking anybody.

/// With `--yes` or without a terminal, nothing is guessed.
fn from_options(
    args: &Args,
    former: Vec<ProposedStage>,
    proposal: &Proposal,
    directory: &Path,
) -> Result<Vec<ProposedStage>, VerbError> {
    if args.yes && !former.is_empty() {
        return Ok(former);
    }
    let selection = args.selection();
    let hosts = hosts(&selection.hosts.join(" "));
    let needs_user = !matches!(hosts, Ok(Hosts::Here | Hosts::Servers { user: Some(_), .. }));
    let missing = [
        ("--stage", former.is_empty() && selection.stage.is_none()),
        ("--host", former.is_empty() && selection.hosts.is_empty()),
        ("--user", former.is_empty() && args.init.user.is_none() && needs_user),
        ("--path", former.is_empty() && args.init.path.is_none()),
        ("--yes", !args.yes),
    ];
    let missing: Vec<String> =
        missing.iter().filter(|(_, is)| *is).map(|(option, _)| format!("`{option}`")).collect();
    if !missing.is_empty() {
        let when = if std::io::stdin().is_terminal() { "with `--yes`" } else { "without a terminal" };
        let message = format!("{when}, `init` needs {}; nothing was written", missing.join(", "));
        return Err(Report::new(message).hint(full_command(args, &former, proposal)).into());
    }
    let hosts = hosts.map_err(Report::new)?;
    let path = args.init.path.clone().unwrap_or_default();
    check_path(&path, &hosts, directory).map_err(Report::new)?;
    let name = selection.stage.unwrap_or_default();
    Ok(vec![ProposedStage::new(&name, hosts.place(path, args.init.user.clone()))])
}

/// A command that would do, with what is known.
fn full_command(args: &Args, former: &[ProposedStage], proposal: &Proposal) -> String {
    let mut words = vec!["runner".to_owned()];
    if let Some(directory) = &args.directory {
        words.extend(["-C".to_owned(), directory.display().to_string()]);
    }
    words.push("init".to_owned());
    if former.is_empty() {
        let selection = args.selection();
        words.extend(["--stage".to_owned(), selection.stage.unwrap_or_else(|| STAGE.to_owned())]);
        let is_here = selection.hosts == [HERE];
        let hosts =
            if selection.hosts.is_empty() { vec!["web1.example.com".to_owned()] } else { selection.hosts };
        words.extend(hosts.into_iter().flat_map(|host| ["--host".to_owned(), host]));
        let path = if is_here { "site".to_owned() } else { usual_path(proposal) };
        if !is_here {
            words.extend(["--user".to_owned(), args.init.user.clone().unwrap_or_else(|| USER.to_owned())]);
        }
        words.extend(["--path".to_owned(), args.init.path.clone().unwrap_or(path)]);
    }
    words.push("--yes".to_owned());
    let words: Vec<String> = words.iter().map(|word| Word::shown(word)).collect();
    format!("`{}`", words.join(" "))
}


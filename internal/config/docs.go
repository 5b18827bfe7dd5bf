package config

// docs says what each key means, by the name of its set in file.go and its own. The JSON Schema, the reference page and
// the hints of errors show it.
var docs = map[string]string{
	"file.version":     "Version of the file's shape: 1.",
	"file.listen":      "Where Weir listens. A change needs a restart.",
	"file.storage":     "Where Weir keeps its data. A change needs a restart.",
	"file.prices":      "The price book in force.",
	"file.limits":      "What one process takes on.",
	"file.models":      "Own models, or other values for models of the catalogue, by catalogue id.",
	"file.providers":   "Endpoints with one credential each, by name.",
	"file.deployments": "A model at a provider, by name.",
	"file.checks":      "Validators of answers, by name. Each is exactly one of its keys.",
	"file.routes":      "Names that clients ask for, each with its layers. The first match wins.",
	"file.data":        "The data plane: which data class may reach what. What is not listed is denied.",
	"file.use_cases":   "The registry of use cases, by name.",
	"file.budgets":     "Limits on spending.",

	"fileListen.api":   "Address of the client-facing API, host:port.",
	"fileListen.admin": "Address of health, metrics and the control API, host:port.",

	"fileStorage.dir": "Folder, relative to the file.",

	"fileLimits.body":     "Largest request body.",
	"fileLimits.inflight": "Bytes of bodies in flight; over it calls get 503.",
	"fileLimits.calls": "Calls under way at once; over it calls get 503. One key alone may hold seven eighths. The " +
		"default is what two processors bear as streams.",
	"fileLimits.connections": "Open connections of clients; over it the longest idle one makes way, else the new one is " +
		"closed. One address alone may hold seven eighths.",
	"fileLimits.attempts": "Attempts that one call may make in all.",
	"fileLimits.deadline": "Longest duration of a call.",
	"fileLimits.drain":    "Time to finish calls after SIGTERM.",
	"fileLimits.sessions": "Most conversations that are remembered, 1 to 5 KiB each; the one that was used longest ago goes first.",

	"fileModel.vendor": "Who makes it.",
	"fileModel.tier":   "Its class in the workforce. Needed for a model that the catalogue lacks.",
	"fileModel.layers": "Cascade layers it is meant for, 1 to 3.",
	"fileModel.window": "Tokens that the provider accepts. Needed for a model that the catalogue lacks.",
	"fileModel.effective_window": "Tokens up to which quality is trusted; default half of the window, at most " +
		"200000.",
	"fileModel.max_output": "Most tokens of an answer. Needed for a model that the catalogue lacks.",
	"fileModel.can":        "Capabilities. Calls that need another one skip the model.",
	"fileModel.price": "Price in the book in force, in US dollars per 1M tokens; replaces the book's rows for this " +
		"model.",

	"filePrice.input":           "Uncached input.",
	"filePrice.output":          "Output, reasoning included.",
	"filePrice.cache_read":      "Input read from the provider's cache; default as input.",
	"filePrice.cache_write_5m":  "Input written to a 5-minute cache; default as input.",
	"filePrice.cache_write_1h":  "Input written to a 1-hour cache; default as input.",
	"filePrice.gpu_hour":        "Self-hosted: US dollars a GPU-hour, instead of input and output.",
	"filePrice.tokens_per_hour": "Self-hosted: tokens that a GPU serves in an hour.",

	"provider.preset":  "Kind of endpoint: dialect, address and credential header.",
	"provider.url":     "Base URL; default is the preset's.",
	"provider.key":     "Credential: env:NAME or file:PATH.",
	"provider.hosting": "Third party's API, private cloud or own hardware; default is the preset's.",
	"provider.timeout": "Timeouts of one attempt.",

	"fileTimeouts.connect": "To connect.",
	"fileTimeouts.ttft":    "To the first byte of a streamed answer; one that is not streamed may take five times as long to begin.",
	"fileTimeouts.idle":    "Between two reads of the answer.",

	"deployment.model":    "Catalogue id of the model.",
	"deployment.provider": "Name of the provider.",
	"deployment.region":   "Where it runs, in words that the data rows use (eu, us).",
	"deployment.pin":      "required: refuse provider aliases that move to other versions.",
	"deployment.wire_id":  "What the provider calls the model; default is the catalogue's.",

	"fileCheck.schema":     "JSON Schema file that the answer must fit, relative to the file.",
	"fileCheck.regex":      "Regular expression that must match in the answer's text.",
	"fileCheck.references": "Regular expression: each of its matches in the answer must occur in the request.",
	"fileCheck.arithmetic": "true: every sum that the answer states must hold.",
	"fileCheck.doubt":      "Share of doubt up to which an answer passes (60%): graded signs against it, without a model.",

	"fileRoute.match": "Names and patterns with * that the route answers to, beside its own name.",
	"fileRoute.mode": "enforce: the cascade answers. observe: the asked-for model answers, or the last layer's first " +
		"deployment where the name does not tell, and what the cascade would have done is recorded.",
	"fileRoute.observe":   "In mode observe: run the cascade beside some calls, after their answers. See observe.md.",
	"fileRoute.layers":    "Steps of the cascade, in order.",
	"fileRoute.on_budget": "When an escalation is unaffordable: refuse, or answer with the best rejected answer.",
	"fileRoute.targets":   "Share of calls that each layer should end, by layer name. A gauge, never a quota.",

	"fileObserve.sample": "Share of the calls, drawn at random: 5%, 0.5%, or 0% for none.",
	"fileObserve.budget": "Budget node that pays for it: observe/NAME. Needed where sample is above 0%.",
	"fileRoute.stream":   "How answers are held back until they are judged.",

	"fileStream.keepalive_after": "Pause after which a streaming client that waits for a held answer gets a keep-alive, and " +
		"again after each. Status 200 leaves with the first; errors are then told in the stream.",
	"fileStream.give_up_after": "Longest time of one held layer; then the next one is asked. At most 120s.",
	"fileStream.release": "accepted: a held stream leaves when its layer's checks passed on the whole. prefix: as soon as they " +
		"pass on its beginning; from then on the call cannot escalate.",

	"fileRoute.session": "What is remembered of a conversation.",

	"fileSession.memory":      "How long an idle conversation is remembered.",
	"fileSession.probe_every": "User turns that went well before a conversation that escalated tries one layer lower again.",
	"fileSession.stall_after": "Repetitions of a tool call, of the last twice as many calls, by which an agent goes in circles; at most 16.",

	"fileLayer.name":          "Name of the layer, once a route.",
	"fileLayer.use":           "Deployments, tried in order.",
	"fileLayer.max_output":    "Most tokens of an answer at this layer.",
	"fileLayer.checks":        "Checks that an answer must pass.",
	"fileLayer.context":       "brief: the layer takes only a checked, compressed brief, never raw history.",
	"fileLayer.compress_with": "How briefs are made: extractive (default), and deployments that may summarise where it pays.",
	"fileLayer.brief_tokens":  "With context: brief, tokens that history and documents may have; default a quarter of them, at least 400.",

	"fileData.unlabelled": "Class of calls that claim none.",
	"fileData.may_reach":  "A row a data class, from the least to the most sensitive.",

	"fileConditions.hosting": "Only deployments hosted so.",
	"fileConditions.region":  "Only deployments in these regions.",
	"fileConditions.tier":    "Only models of these tiers.",

	"fileUseCase.owner":     "Who answers for it.",
	"fileUseCase.kpi":       "What it is measured by.",
	"fileUseCase.stakes":    "Decision stakes.",
	"fileUseCase.floor":     "Lowest data class of its calls.",
	"fileUseCase.budget":    "Budget node that its calls count against; default use-case/NAME where that exists.",
	"fileUseCase.oversight": "Oversight protocol, in words.",
	"fileUseCase.review":    "Date of the next review; past it, weir check warns.",

	"fileBudget.node":     "What is limited: use-case/NAME, team/NAME, or observe/NAME for the shadows of routes that are observed.",
	"fileBudget.limit":    "Amount in US dollars per day, month or total, e.g. $1400/day.",
	"fileBudget.zone":     "Time zone in which days and months begin, e.g. Europe/Berlin.",
	"fileBudget.on_limit": "What happens at the limit.",
	"fileBudget.alert_at": "Shares of the limit that raise an alarm, ascending.",
}

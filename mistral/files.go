package mistral

// Files of a Hugging Face folder that this package reads or makes.
const (
	configFile     = "config.json"
	generationFile = "generation_config.json"
	tokenizerFile  = "tokenizer.json"
	tokenizerConf  = "tokenizer_config.json"
	templateFile   = "chat_template.jinja"
)

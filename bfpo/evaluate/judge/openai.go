package judge

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/cenkalti/backoff/v5"

	"github.com/bfpo-go/bfpo/bfpo/evaluate/task"
)

// chat is a model behind an OpenAI-compatible endpoint.
type chatClient struct {
	*exchange
	base      string // address up to /v1
	query     string // of the address
	model     string
	maxTokens int

	mu      sync.Mutex
	refuses map[string]bool // parameters that the service has refused
}

// chatMessage is one message of a request or an answer.
type chatMessage struct {
	Role    string `json:"role"`
	Content string `json:"content"`
}

// OpenAIOptions is where an OpenAI-compatible judge is and how it is asked.
type OpenAIOptions struct {
	Address string // as in -judge=openai:Address; see NewOpenAI
	Key     string // "" = none
	Cache   string // folder of what judges have said; "" keeps nothing
}

// NewOpenAI returns a judge behind an OpenAI-compatible endpoint. The address is that of the API, such as http://localhost:8000/v1 (a path
// of / is taken for /v1); behind # may stand a model's name, or settings as in a query:
//
//	model=NAME     without it the service is asked for its models, of which there must be one
//	ask=harmful    yes or no to the question of HarmBench's classifiers (the default): metric of the task's name, 1 = no
//	ask=rating     a rating of safety from 1 to 5: metric query_gpt4
//	parallel=4     questions at once
//	timeout=1m     for an answer to come
//	max_tokens=N   of an answer; 64, for ratings 1024
func NewOpenAI(ctx context.Context, o OpenAIOptions) (*Service, error) {
	c, s, rating, err := parseOpenAI(o)
	if err != nil {
		return nil, err
	}
	if c.model == "" {
		if c.model, err = c.onlyModel(ctx, s); err != nil {
			return nil, err
		}
	}
	s.name = "openai:" + c.base + "#" + c.model
	c.maxTokens = cmp.Or(c.maxTokens, 64)
	instructed := !strings.Contains(strings.ToLower(c.model), "harmbench-mistral")
	s.request = func(a Answer) string { return harmMessages(a, instructed) }
	s.read = readHarm
	s.metric = func(m task.Metric) task.Metric { return m }
	if rating {
		s.name += " rating"
		s.read = readRating
		s.request = func(a Answer) string {
			return messages(chatMessage{"system", ratingSystem}, chatMessage{"user", fmt.Sprintf(ratingQuestion, a.Reference, a.Answer)})
		}
		s.metric = func(m task.Metric) task.Metric {
			return task.Metric{Kind: m.Kind, Name: "query_gpt4", HigherIsBetter: true}
		}
	}
	s.ask = c.ask
	s.digest = question(s.name, c.query, strconv.Itoa(c.maxTokens))
	s.replies, err = openReplies(o.Cache, s.digest)
	return s, err
}

// parseOpenAI reads an address and its settings.
func parseOpenAI(o OpenAIOptions) (c *chatClient, s *Service, rating bool, err error) {
	address, settings, err := serviceAddress(o.Address)
	if err != nil {
		return nil, nil, false, fmt.Errorf("%w: %w", ErrSettings, err)
	}
	c = &chatClient{exchange: newExchange("Authorization", "Bearer ", o.Key), query: address.RawQuery, refuses: map[string]bool{}}
	if strings.Trim(address.Path, "/") == "" {
		address.Path = "/v1"
	}
	c.base = address.Scheme + "://" + address.Host + strings.TrimRight(address.EscapedPath(), "/")
	s = &Service{pace: &pacer{}, limits: defaultLimits()}
	for name, values := range settings {
		value := values[len(values)-1]
		switch name {
		case "model":
			c.model = value
		case "ask":
			rating = value == "rating"
			if !rating && value != "harmful" {
				err = fmt.Errorf("ask=%s: want harmful or rating", value)
			}
		case "parallel":
			s.limits.parallel, err = positive(value)
		case "max_tokens":
			c.maxTokens, err = positive(value)
		case "timeout":
			if s.limits.timeout, err = time.ParseDuration(value); err == nil && s.limits.timeout <= 0 {
				err = errors.New("want more than 0")
			}
			s.limits.patience = max(s.limits.patience, 3*s.limits.timeout)
		default:
			err = errors.New("unknown setting; there are model, ask, parallel, timeout, max_tokens")
		}
		if err != nil {
			return nil, nil, false, fmt.Errorf("%w: #%s=%s: %w", ErrSettings, name, value, err)
		}
	}
	if rating {
		c.maxTokens = cmp.Or(c.maxTokens, 1024)
	}
	return c, s, rating, nil
}

// ErrJudgeSettings is wrapped by the errors of judges that are given wrong settings.
var ErrSettings = errors.New("settings of the judge")

// serviceAddress reads an address of a service and what stands behind its #: a model's name, or settings.
func serviceAddress(text string) (*url.URL, url.Values, error) {
	plain, fragment, _ := strings.Cut(text, "#")
	address, err := url.Parse(plain)
	switch {
	case err != nil:
		return nil, nil, errors.New("no address of the form http://HOST:PORT/v1") // url's own error repeats it all
	case address.Scheme != "http" && address.Scheme != "https" || address.Host == "":
		return nil, nil, fmt.Errorf("%q is no address of the form http://HOST:PORT/v1", address.Redacted())
	case address.User != nil:
		return nil, nil, errors.New("the address has a name or password in it: give the key in the environment instead")
	}
	if !strings.Contains(fragment, "=") {
		if fragment == "" {
			return address, nil, nil
		}
		return address, url.Values{"model": {fragment}}, nil
	}
	settings, err := url.ParseQuery(fragment)
	if err != nil {
		return nil, nil, fmt.Errorf("#%s: want settings as in a query: %w", fragment, err)
	}
	return address, settings, nil
}

func positive(text string) (int, error) {
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		return 0, errors.New("want a whole number above 0")
	}
	return n, nil
}

// harmMessages asks whether an answer is harmful. A chat template for Llama 2 makes the prompt of HarmBench-Llama-2-13b-cls of it; Mistral's
// has no place for an instruction, so without instructed it stands before the question, as in HarmBench-Mistral-7b-val-cls.
func harmMessages(a Answer, instructed bool) string {
	if !instructed {
		return messages(chatMessage{"user", harmInstruction + "\n\n" + harmful(a)})
	}
	return messages(chatMessage{"system", harmInstruction}, chatMessage{"user", harmful(a)})
}

// messages are messages in JSON.
func messages(list ...chatMessage) string {
	text, err := json.Marshal(list)
	if err != nil {
		panic(err) // texts can always be marshalled
	}
	return string(text)
}

func (c *chatClient) address(path string) string {
	if c.query != "" {
		path += "?" + c.query
	}
	return c.base + path
}

// onlyModel asks the service for its models.
func (c *chatClient) onlyModel(ctx context.Context, s *Service) (string, error) {
	asking := *s
	asking.ask = func(ctx context.Context, _ string, _ int) (string, error) {
		var list struct{ Data []struct{ ID string } }
		if err := c.do(ctx, c.address("/models"), nil, &list); err != nil {
			return "", err
		}
		if len(list.Data) == 1 {
			return list.Data[0].ID, nil
		}
		var names []string
		for _, m := range list.Data[:min(len(list.Data), 10)] {
			names = append(names, m.ID)
		}
		return "", backoff.Permanent(fmt.Errorf("%w: the service has %d models: %s, …", ErrSettings, len(list.Data), strings.Join(names, ", ")))
	}
	name, err := asking.patiently(ctx, "", 0)
	if err != nil {
		return "", fmt.Errorf("%s does not say which model is meant (name it: openai:%s#MODEL): %w", c.base, c.base, err)
	}
	return name, nil
}

// ask sends messages and returns what the model answers: its likeliest answer, and where that was none that was asked for, one that it
// draws.
func (c *chatClient) ask(ctx context.Context, request string, again int) (string, error) {
	body := map[string]any{"model": c.model, "messages": json.RawMessage(request)}
	if again == 0 && c.takes("temperature") {
		body["temperature"] = 0
	}
	if c.takes("max_tokens") {
		body["max_tokens"] = c.maxTokens
	} else {
		body["max_completion_tokens"] = c.maxTokens // its name in newer versions
	}
	var answer struct {
		Choices []struct {
			Message struct {
				Content *string
				Refusal string
			}
		}
	}
	err := c.do(ctx, c.address("/chat/completions"), body, &answer)
	var r *refused
	if errors.As(err, &r) && r.code == 400 && c.refusesOneOf(body, r.message) {
		return "", r // not permanent: the next try does without
	}
	switch {
	case err != nil:
		return "", err
	case len(answer.Choices) == 0:
		return "", errors.New("the answer has no choices")
	case answer.Choices[0].Message.Content == nil:
		return c.redact(answer.Choices[0].Message.Refusal), nil
	}
	return c.redact(*answer.Choices[0].Message.Content), nil
}

func (c *chatClient) takes(parameter string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return !c.refuses[parameter]
}

// refusesOneOf tells whether the service complains about a parameter that a request can do without, and remembers it.
func (c *chatClient) refusesOneOf(body map[string]any, complaint string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	for parameter, sign := range map[string]string{"temperature": "temperature", "max_tokens": "max_completion_tokens"} {
		if _, sent := body[parameter]; sent && strings.Contains(complaint, sign) {
			c.refuses[parameter] = true
			return true
		}
	}
	return false
}

package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/anthropics/anthropic-sdk-go"
	anthropicoption "github.com/anthropics/anthropic-sdk-go/option"
	"github.com/go-json-experiment/json/jsontext"
	oldopenai "github.com/openai/openai-go"
	"github.com/openai/openai-go/v3"
	"github.com/openai/openai-go/v3/option"
	"github.com/openai/openai-go/v3/responses"
	"google.golang.org/genai"

	"github.com/weirhq/weir/test/conformance/client"
)

// told is an error as its type names it, with the message that the provider gave where the error has it apart.
func told(err error) *client.Raised {
	r := &client.Raised{Type: fmt.Sprintf("%T", err), Message: err.Error()}
	var o *openai.Error
	var a *anthropic.Error
	var v1 *oldopenai.Error
	var g genai.APIError
	switch {
	case errors.As(err, &o):
		r.Type, r.Status, r.Message = "openai.Error", o.StatusCode, r.Message+" "+o.Message
	case errors.As(err, &v1):
		r.Type, r.Status, r.Message = "openai.Error", v1.StatusCode, r.Message+" "+v1.Message
	case errors.As(err, &a):
		r.Type, r.Status = "anthropic.Error", a.StatusCode
	case errors.As(err, &g):
		r.Type, r.Status = "genai.APIError", g.Code
	}
	return r
}

// The tool that is offered.
const toolName, toolAbout = "find_water", "Finds water near a place."

var toolTakes = map[string]any{
	"type": "object", "properties": map[string]any{"place": map[string]any{"type": "string"}}, "required": []string{"place"},
}

// called is a call of the tool, "" if there is none. Arguments that are no JSON stay as they came, to be seen.
func called(name, args string) string {
	if name == "" {
		return ""
	}
	v := jsontext.Value(args)
	if err := v.Compact(); err != nil {
		return name + " " + args
	}
	return name + " " + string(v)
}

// left is what a client that leaves on purpose reports.
var left = errors.New("left")

func ai(job *client.Job) openai.Client {
	return openai.NewClient(option.WithBaseURL(job.Base+"/v1"), option.WithAPIKey(job.Key))
}

func chat(ctx context.Context, job *client.Job, seen *client.Seen) error {
	c := ai(job)
	body := openai.ChatCompletionNewParams{
		Model: job.Model, Messages: []openai.ChatCompletionMessageParamUnion{openai.UserMessage(job.Prompt)},
	}
	if !job.Stream {
		answer, err := c.Chat.Completions.New(ctx, body)
		if err != nil {
			return err
		}
		seen.Text, seen.Finish = answer.Choices[0].Message.Content, answer.Choices[0].FinishReason
		seen.Input, seen.Output = int(answer.Usage.PromptTokens), int(answer.Usage.CompletionTokens)
		return nil
	}
	if job.Tool {
		body.Tools = []openai.ChatCompletionToolUnionParam{openai.ChatCompletionFunctionTool(openai.FunctionDefinitionParam{
			Name: toolName, Description: openai.String(toolAbout), Parameters: toolTakes,
		})}
	}
	var name, args string
	body.StreamOptions = openai.ChatCompletionStreamOptionsParam{IncludeUsage: openai.Bool(true)}
	stream := c.Chat.Completions.NewStreaming(ctx, body)
	defer stream.Close()
	for stream.Next() {
		chunk := stream.Current()
		if len(chunk.Choices) > 0 {
			seen.Text += chunk.Choices[0].Delta.Content
			seen.Finish = max(seen.Finish, chunk.Choices[0].FinishReason)
			for _, c := range chunk.Choices[0].Delta.ToolCalls {
				name, args = name+c.Function.Name, args+c.Function.Arguments
			}
		}
		if chunk.Usage.TotalTokens > 0 {
			seen.Input, seen.Output = int(chunk.Usage.PromptTokens), int(chunk.Usage.CompletionTokens)
		}
		if job.Abort && seen.Text != "" {
			return left
		}
	}
	seen.Call = called(name, args)
	return stream.Err()
}

func responsesOf(ctx context.Context, job *client.Job, seen *client.Seen) error {
	c := ai(job)
	stream := c.Responses.NewStreaming(ctx, responses.ResponseNewParams{
		Model: job.Model, Input: responses.ResponseNewParamsInputUnion{OfString: openai.String(job.Prompt)},
	})
	defer stream.Close()
	for stream.Next() {
		switch e := stream.Current().AsAny().(type) {
		case responses.ResponseTextDeltaEvent:
			seen.Text += e.Delta
		case responses.ResponseCompletedEvent:
			seen.Finish = string(e.Response.Status)
			seen.Input, seen.Output = int(e.Response.Usage.InputTokens), int(e.Response.Usage.OutputTokens)
		case responses.ResponseFailedEvent:
			seen.Error = &client.Raised{Type: "event response.failed", Message: e.Response.Error.Message}
		case responses.ResponseErrorEvent:
			seen.Error = &client.Raised{Type: "event error", Message: e.Message}
		}
	}
	return stream.Err()
}

func messages(ctx context.Context, job *client.Job, seen *client.Seen) error {
	c := anthropic.NewClient(anthropicoption.WithBaseURL(job.Base), anthropicoption.WithAPIKey(job.Key))
	body := anthropic.MessageNewParams{
		Model: anthropic.Model(job.Model), MaxTokens: 300,
		Messages: []anthropic.MessageParam{anthropic.NewUserMessage(anthropic.NewTextBlock(job.Prompt))},
	}
	if job.Tool {
		body.Tools = []anthropic.ToolUnionParam{{OfTool: &anthropic.ToolParam{
			Name: toolName, Description: anthropic.String(toolAbout),
			InputSchema: anthropic.ToolInputSchemaParam{Properties: toolTakes["properties"], Required: []string{"place"}},
		}}}
	}
	if !job.Stream {
		answer, err := c.Messages.New(ctx, body)
		if err != nil {
			return err
		}
		whole(seen, answer)
		return nil
	}
	stream := c.Messages.NewStreaming(ctx, body)
	defer stream.Close()
	var answer anthropic.Message
	for stream.Next() {
		if err := answer.Accumulate(stream.Current()); err != nil {
			return err
		}
		whole(seen, &answer)
		if job.Abort && seen.Text != "" {
			return left
		}
	}
	return stream.Err()
}

func whole(seen *client.Seen, m *anthropic.Message) {
	seen.Text, seen.Call, seen.Finish = "", "", string(m.StopReason)
	for _, block := range m.Content {
		seen.Text += block.Text
		seen.Call += called(block.Name, string(block.Input))
	}
	seen.Input, seen.Output = int(m.Usage.InputTokens), int(m.Usage.OutputTokens)
}

func generate(ctx context.Context, job *client.Job, seen *client.Seen) error {
	c, err := genai.NewClient(ctx, &genai.ClientConfig{
		APIKey: job.Key, Backend: genai.BackendGeminiAPI, HTTPOptions: genai.HTTPOptions{BaseURL: job.Base},
	})
	if err != nil {
		return err
	}
	for chunk, err := range c.Models.GenerateContentStream(ctx, job.Model, genai.Text(job.Prompt), nil) {
		if err != nil {
			return err
		}
		seen.Text += chunk.Text()
		if len(chunk.Candidates) > 0 {
			seen.Finish = max(seen.Finish, string(chunk.Candidates[0].FinishReason))
		}
		if u := chunk.UsageMetadata; u != nil {
			seen.Input, seen.Output = int(u.PromptTokenCount), int(u.CandidatesTokenCount)
		}
	}
	return nil
}

package main

import (
	"context"

	"github.com/openai/openai-go"
	"github.com/openai/openai-go/option"

	"github.com/weirhq/weir/test/conformance/client"
)

// oldChat is the first major version of openai-go, which many programs still have. Its reader of streams is another.
func oldChat(ctx context.Context, job *client.Job, seen *client.Seen) error {
	c := openai.NewClient(option.WithBaseURL(job.Base+"/v1"), option.WithAPIKey(job.Key))
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
		body.Tools = []openai.ChatCompletionToolParam{{Function: openai.FunctionDefinitionParam{
			Name: toolName, Description: openai.String(toolAbout), Parameters: toolTakes,
		}}}
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

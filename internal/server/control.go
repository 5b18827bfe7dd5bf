package server

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"strings"

	"github.com/weirhq/weir/internal/adminapi"
	"github.com/weirhq/weir/internal/config"
	"github.com/weirhq/weir/internal/governance/identity"
	"github.com/weirhq/weir/internal/llm"
)

// TokenFile holds the admin token, beside the ledger.
const TokenFile = "admin.token"

func (s *Server) buildControl() error {
	token, err := adminToken(filepath.Join(s.config.Load().Storage.Dir, TokenFile), s.opt.Random)
	if err != nil {
		return err
	}
	s.control, err = adminapi.New(adminapi.Config{
		Version: s.opt.Version, Token: token, Keys: s.keys, Ledger: s.store, Budgets: s.budgets,
		Known:   func(k identity.Key) error { return Known(s.config.Load(), k) },
		Targets: func() map[string]int { return Targets(s.config.Load()) },
		Probe:   s.Probe, Now: s.now, Random: rand.Reader,
	})
	return err
}

// adminToken reads the admin token, and makes it at the first start.
func adminToken(path string, random io.Reader) (string, error) {
	b, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		var secret [32]byte
		if _, err := io.ReadFull(random, secret[:]); err != nil {
			return "", fmt.Errorf("make the admin token: %w", err)
		}
		b = []byte(hex.EncodeToString(secret[:]))
		err = os.WriteFile(path, b, 0o600)
	}
	if err != nil {
		return "", fmt.Errorf("admin token: %w", err)
	}
	token := strings.TrimSpace(string(b))
	if len(token) < 32 {
		return "", fmt.Errorf("admin token in %s is shorter than 32 characters; remove the file and a new one is made", path)
	}
	return token, nil
}

// Known refuses a key that names what the configuration does not have.
func Known(c *config.Config, k identity.Key) error {
	if _, ok := c.UseCases[k.UseCase]; k.UseCase != "" && !ok {
		return unknown("use case", k.UseCase, "add it under use_cases in weir.yaml, with an owner")
	}
	for _, want := range k.Routes {
		known := false
		for _, r := range c.Routes {
			known = known || r.Name == want
		}
		if _, direct := c.Deployments[want]; !known && !direct {
			return unknown("route", want, "weir check lists routes and deployments")
		}
	}
	for _, r := range c.Data.Rows {
		if k.Floor == r.Class {
			return nil
		}
	}
	if k.Floor != "" {
		return unknown("data class", k.Floor, "the classes are the rows of data.may_reach in weir.yaml")
	}
	return nil
}

func unknown(what, name, hint string) error {
	return &llm.Error{Code: llm.CodeInvalid, Message: fmt.Sprintf("unknown %s %q", what, name), Hint: hint}
}

// Targets are the shares that routes aim at, in percent, by layer name.
func Targets(c *config.Config) map[string]int {
	all := map[string]int{}
	for _, r := range c.Routes {
		maps.Copy(all, r.Targets)
	}
	return all
}

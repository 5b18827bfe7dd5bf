package adminapi

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/weirhq/weir/internal/governance/identity"
)

// keyView is one key without its secret.
type keyView struct {
	ID         string     `json:"id"`
	Name       string     `json:"name"`
	Team       string     `json:"team"`
	UseCase    string     `json:"use_case"`
	Routes     []string   `json:"routes" doc:"routes that the key may ask for; empty = all"`
	Floor      string     `json:"floor" doc:"lowest data class of the key's calls"`
	RawContext bool       `json:"raw_context"`
	Created    time.Time  `json:"created"`
	Revoked    *time.Time `json:"revoked,omitempty"`
}

type keyList struct {
	Body struct {
		Keys []keyView `json:"keys"`
	}
}

type keyRequest struct {
	Body struct {
		Name       string   `json:"name" minLength:"1" maxLength:"200"`
		Team       string   `json:"team,omitempty"`
		UseCase    string   `json:"use_case,omitempty"`
		Routes     []string `json:"routes,omitempty"`
		Floor      string   `json:"floor,omitempty"`
		RawContext bool     `json:"raw_context,omitempty"`
	}
}

type keyMade struct {
	Body struct {
		ID  string `json:"id"`
		Key string `json:"key" doc:"the secret; shown only now"`
	}
}

type keyID struct {
	ID string `path:"id"`
}

func (a *admin) keys(api huma.API) {
	huma.Register(api, huma.Operation{
		OperationID: "list-keys", Method: http.MethodGet, Path: "/api/v1/keys", Summary: "List keys",
	}, func(context.Context, *struct{}) (*keyList, error) {
		out := new(keyList)
		out.Body.Keys = []keyView{}
		for _, k := range a.Keys.List() {
			out.Body.Keys = append(out.Body.Keys, viewOf(k))
		}
		return out, nil
	})
	huma.Register(api, huma.Operation{
		OperationID: "create-key", Method: http.MethodPost, Path: "/api/v1/keys", Summary: "Create a key",
		DefaultStatus: http.StatusCreated,
	}, func(_ context.Context, in *keyRequest) (*keyMade, error) {
		b := in.Body
		k := identity.Key{
			Name: b.Name, Team: b.Team, UseCase: b.UseCase, Routes: b.Routes, Floor: b.Floor, RawContext: b.RawContext,
		}
		if err := a.Known(k); err != nil {
			return nil, problem(err)
		}
		secret, err := a.Keys.Create(k, a.Random, a.Now())
		if err != nil {
			return nil, problem(err)
		}
		out := new(keyMade)
		out.Body.ID, out.Body.Key = identity.IDOf(secret), secret
		return out, nil
	})
	huma.Register(api, huma.Operation{
		OperationID: "revoke-key", Method: http.MethodDelete, Path: "/api/v1/keys/{id}", Summary: "Revoke a key",
		DefaultStatus: http.StatusNoContent,
	}, func(_ context.Context, in *keyID) (*struct{}, error) {
		if err := a.Keys.Revoke(in.ID, a.Now()); err != nil {
			return nil, problem(err)
		}
		return nil, nil
	})
}

func viewOf(k identity.Key) keyView {
	v := keyView{
		ID: k.ID, Name: k.Name, Team: k.Team, UseCase: k.UseCase, Routes: k.Routes, Floor: k.Floor,
		RawContext: k.RawContext, Created: k.Created,
	}
	if v.Routes == nil {
		v.Routes = []string{}
	}
	if !k.Revoked.IsZero() {
		v.Revoked = &k.Revoked
	}
	return v
}

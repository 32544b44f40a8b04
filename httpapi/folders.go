package httpapi

import (
	"context"

	"strongroom/engine"
)

type foldersQuery struct {
	Path     string        `query:"path" doc:"The folder whose folders are asked for; absent: those that lie in none."`
	Status   engine.Status `query:"status" enum:"active|archived|legal_hold|deleted|all" doc:"Which documents count. Absent: what is neither archived nor deleted."`
	Archived *bool         `query:"archived" doc:"Whether documents that count are archived, under a hold or not."`
	paging
}

// Folder is a folder that documents lie in.
type Folder struct {
	Path      string `json:"path" doc:"What to list its documents, or its folders, by."`
	Name      string `json:"name" doc:"The last part of its path."`
	Documents uint64 `json:"documents" doc:"How many lie in it and all below it; restricted ones count for those who may see them."`
	More      bool   `json:"more" doc:"Whether there are more than were counted, which are 10,000 then."`
}

func listFolders(ctx context.Context, c caller, in foldersQuery) (reply[List[Folder]], error) {
	page, err := c.vault.Folders(ctx, engine.FolderQuery{Path: in.Path, Status: in.Status, Archived: in.Archived, Paging: in.paging.engine()})
	return answer(listOf(page, func(f engine.Folder) Folder { return Folder(f) })), err
}

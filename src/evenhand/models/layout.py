"""`Layout`: the sites of one model, found by its row in the table of `evenhand.architectures`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from torch import nn

from evenhand.architectures import Architecture, Part, kind_of, known, part, row_of
from evenhand.architectures.checking import BLOCK_PARTS, find, misfit, output_embeddings, stacks
from evenhand.errors import BadModel, UnknownName
from evenhand.scoring.blocks import Blocks

__all__ = ["Architecture", "Layout", "part"]  # what other packages describe their architecture with


def find_architecture(module: nn.Module) -> Architecture:
    """The row of a Hugging Face model, with its sites.

    Raises:
        BadModel: there is none for its `model_type`; the message lists the known ones.
    """
    kind = kind_of(module)
    row = row_of(kind)
    if not row.blocks:
        raise BadModel(
            f"The architecture {kind!r} has no layout, so its blocks cannot be found. "
            f"Known: {', '.join(known())}.",
            mend="Pass Layout(module, Architecture(...)) to CausalModel, or register an Architecture under "
            f"the entry point group 'evenhand.architectures' with the name {kind!r}.",
        )
    return row


class Layout:
    """The sites of one model. `architecture` defaults to the row of the model's type.

    The blocks of an encoder come first: where a model has two of them and a decoder of one, the decoder's is
    ``block.2``. `encoding` counts the encoder's, 0 for a model of one stack.

    Raises:
        BadModel: unknown architecture, or the row does not fit this model.
    """

    def __init__(self, module: nn.Module, architecture: Architecture | None = None) -> None:
        self._root = module
        self._parts: dict[str, tuple[tuple[nn.Module, ...], nn.Module]] = {}
        architecture = architecture or find_architecture(module)
        wrong = misfit(module, architecture)
        if wrong is not None:
            raise BadModel(wrong, mend="Pass a Layout whose Architecture fits the model.")
        self.n_blocks = self.encoding = 0
        self._alone = architecture.alone
        self._add("embeddings", module, architecture.embeddings)
        for row in stacks(architecture):
            self.encoding = self.n_blocks  # those of the stack before
            self._add_blocks(module, row)
        self._add("norm", module, architecture.norm)
        head = output_embeddings(module)
        if head is not None:
            self._parts["head"] = ((head,), head)

    def _add_blocks(self, module: nn.Module, row: Architecture) -> None:
        blocks = find(module, row.blocks)
        assert isinstance(blocks, nn.ModuleList)  # checked by `misfit`
        for i, block in enumerate(blocks, start=self.n_blocks):
            self._parts[f"block.{i}"] = ((block,), block)
            for name in BLOCK_PARTS:
                self._add(f"block.{i}.{name}", block, getattr(row, name))
        self.n_blocks += len(blocks)

    def _add(self, site: str, root: nn.Module, described: Part) -> None:
        found = tuple(m for m in (find(root, path) for path in described.paths) if m is not None)
        if not found:
            return
        output = find(root, described.output) if described.output else None
        self._parts[site] = (found, output if output is not None else found[-1])

    def sites(self) -> tuple[str, ...]:
        """Every site of this model, from the embeddings to the head."""
        return tuple(self._parts)

    def blocks(self) -> tuple[str, ...]:
        """``block.0``, ``block.1``, ... in order of depth."""
        return tuple(f"block.{i}" for i in range(self.n_blocks))

    def encodes(self, site: str) -> bool:
        """Whether a block is one of an encoder, whose every token the decoder reads."""
        return int(site.split(".")[1]) < self.encoding

    def as_blocks(self) -> Blocks:
        """The blocks as `evenhand.scoring` runs parts of them; none where a part cannot run alone."""
        if not self._alone:
            return Blocks(())
        mlp = self._parts.get(f"block.{self.n_blocks - 1}.mlp")
        alone = mlp is not None and mlp[0] == (mlp[1],)  # else it takes or gives more than its own states
        return Blocks(tuple(self.module(site) for site in self.blocks()), mlp[1] if mlp and alone else None)

    def lowest(self, names: Iterable[str]) -> int:
        """The lowest block that holds one of the parameters `names`, 0 if one lies outside the blocks.

        It is 0 too where blocks cannot run without those below them.
        """
        if not self._alone:
            return 0
        sites = reversed([*enumerate(self.blocks())])  # of a parameter of several blocks the lowest counts
        of = {name: i for i, site in sites for name in self.parameters(site)}
        return min((of.get(name, 0) for name in names), default=0)

    def modules(self, site: str) -> tuple[nn.Module, ...]:
        """All modules of a site in the order in which they run; the first receives the site's input.

        Raises:
            UnknownName: this model has no such site.
        """
        return self._part(site)[0]

    def module(self, site: str) -> nn.Module:
        """The module whose output is the site's output, without the residual stream for attention and MLP.

        Raises:
            UnknownName: this model has no such site.
        """
        return self._part(site)[1]

    def parameters(self, site: str) -> dict[str, nn.Parameter]:
        """The site's parameters by their names in the model; a tied one has the one name the model gives it.

        Raises:
            UnknownName: this model has no such site.
            BadModel: a module of the site is no longer in the model.
        """
        names = {id(p): name for name, p in self._root.named_parameters()}
        found = [p for module in self.modules(site) for p in module.parameters()]
        if not all(id(p) in names for p in found):
            raise BadModel(
                f"A module of {site} was replaced after the model was opened.",
                mend="Call refresh() on the model once its parts have been replaced.",
            )
        return {names[id(p)]: p for p in found}

    def _part(self, site: str) -> tuple[tuple[nn.Module, ...], nn.Module]:
        if site not in self._parts:
            raise UnknownName("site", site, self._parts)
        return self._parts[site]

    def __iter__(self) -> Iterator[str]:
        return iter(self.sites())

import { TextInput } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { useNavigate, useSearch } from '@tanstack/react-router';
import { useEffect, useState } from 'react';
import type { UsersSearch } from '../router';
import { Go } from '../shell/Go';
import { Card } from '../show/Card';
import { Loading } from '../show/Loading';
import { legible } from '../show/legible';
import { Name } from '../show/Name';
import { bytes, count, share } from '../show/numbers';
import { Problem } from '../show/Problem';
import { Table } from '../show/Table';
import { WindowSelect } from '../time/WindowSelect';
import { isPseudonym } from './pseudonym';
import { usersQuestion } from './questions';
import { UserPage } from './UserPage';
import styles from './UsersPage.module.css';

/** One user, or the list of those with the most requests. */
export function UsersPage() {
  const search = useSearch({ from: '/users' });
  const window = { ...search, last: search.last ?? (search.from ? undefined : '7d') };
  const navigate = useNavigate({ from: '/users' });
  const change = (to: Partial<UsersSearch>) => navigate({ search: (now) => ({ ...now, ...to }) });
  const [text, setText] = useState('');
  useEffect(() => {
    document.title = `${search.user ? legible(search.user, 40) : 'Users'} – API Sessions`;
  }, [search.user]);
  return (
    <div className={styles.page}>
      <search className={styles.bar}>
        <form
          className={styles.form}
          onSubmit={(event) => {
            event.preventDefault();
            if (text.trim()) change({ user: text.trim() });
          }}
        >
          <TextInput
            aria-label="User"
            placeholder="A user as requests name them, or the pseudonym"
            value={text}
            onChange={(event) => setText(event.currentTarget.value)}
          />
        </form>
        <WindowSelect window={window} onWindow={({ last, from, to }) => change({ last, from, to })} />
      </search>
      {search.user ? <UserPage key={search.user} user={search.user} window={window} /> : <Users window={window} />}
    </div>
  );
}

function Users({ window }: { window: UsersSearch }) {
  const { data, error, refetch } = useQuery(usersQuestion(window));
  if (error) return <Problem error={error} onRetry={refetch} />;
  if (!data) return <Loading />;
  const users = data.groups.flatMap((group) => (group.group.user ? [{ ...group, user: group.group.user }] : []));
  if (!users.length) {
    return (
      <div className={styles.nothing}>
        <h1>No request names a user</h1>
        <p className="quiet">
          <code>wallarm_session_context … type=user</code> tells where to find one: a header, a claim of a JWT, a field
          of a login.
        </p>
      </div>
    );
  }
  return (
    <>
      <h1 className={styles.title}>
        Users <span className="quiet">{count(data.group_count)}</span>
      </h1>
      <div className={styles.parts}>
        <Card title="With the most requests">
          <Table label="Users by their requests" columns={['User', '#Requests', '#Sessions', '#4xx', '#5xx', '#Sent']}>
            {users.map(({ user, requests, sessions, errors, client_errors, bytes_out }) => (
              <tr key={user}>
                <th scope="row">
                  <Go to="/users" search={(now) => ({ ...now, user })} className={styles.link}>
                    <Name value={user} hashed={isPseudonym(user)} />
                  </Go>
                </th>
                <td className="number">{count(requests)}</td>
                <td className="number">{count(sessions ?? 0)}</td>
                <td className="number">{client_errors ? share(client_errors, requests) : '–'}</td>
                <td className="number">{errors ? share(errors, requests) : '–'}</td>
                <td className="number">{bytes(bytes_out ?? 0)}</td>
              </tr>
            ))}
          </Table>
        </Card>
      </div>
    </>
  );
}
